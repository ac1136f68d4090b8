"""No document keeps the reader busy: its work is bounded by the 256 KiB a document may have.

What is repeated here is whatever costs a parser, a pattern or an explanation the most.
"""

# ruff: noqa: E501 - tables are read by their lines

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intents.composing import MAX_BYTES
from intents.problems import MOST_PROBLEMS, InvalidIntent
from intents.reading import read
from tests.fixtures.trees import ACME, RUN, TRAIN
from tests.property.test_fast_yaml import CORNERS

HEADS = {
    RUN: b"apiVersion: ordain.dev/v1alpha1\nkind: Run\nspec:\n  template: train@1.0.0\n",
    ACME: b"apiVersion: ordain.dev/v1alpha1\nkind: Tenant\nspec:\n  displayName: a\n  defaultProject: b\n",
    TRAIN: b"apiVersion: ordain.dev/v1alpha1\nkind: Template\nspec:\n  package: {sha256: x}\n",
}
BEFORE = [
    b"",
    b"  a: ",
    b"  parameters: {a: [",
    b"  hostnames: [",
    b"  members:\n",
    b"  template: ",
    b'  a: "',
    b"  a: '",
    b"  #",
]
PIECES = [
    *(b"A, ", b"[1],", b"[", b"{a: ", b"- ", b"? ", b"&a a,", b"no, ", b"0755,", b"''", b"a:", b"a: ", b"a ", b"1", b"1_", b"1:11"),
    *(b"    - {}\n", b"    - {user: a, roles: [x]}\n", b"    - {to: 1.1.1.1/32, ports: [443]}\n", b"  a: 1\n", b"\n", b" "),
    *(b"\\n", b"\\u0041", b"a-", b"!a ", b"*a ", b"#", b"---\n", b"...\n", b"<<: ", b"\xc3\xa9", b"\xe2\x80\xa8", b"attempt"),
]  # fmt: skip
AFTER = [b"", b"\n", b"x\n", b"]\n", b"]}\n", b'"\n', b"'\n", b"!\n"]


def document(head: bytes, before: bytes, piece: bytes, after: bytes) -> bytes:
    room = MAX_BYTES - len(head) - len(before) - len(after)
    return head + before + piece * (room // len(piece)) + after


def numbered(head: bytes, line: bytes) -> bytes:
    """Return a document whose lines are all different, so that no cache helps."""
    lines = b"".join(line % number for number in range(MAX_BYTES // (len(line) + 3)))
    return (head + lines)[:MAX_BYTES]


def problems(path: str, body: bytes) -> int:
    try:
        read(path, body)
    except InvalidIntent as refused:
        return len(refused.problems)
    return 0


HUGE = st.one_of(
    st.builds(
        document,
        st.sampled_from([b"", *HEADS.values()]),
        st.sampled_from(BEFORE),
        st.sampled_from(PIECES) | st.sampled_from(CORNERS).map(lambda text: text.encode("utf-8", "replace") + b" "),
        st.sampled_from(AFTER),
    ),
    st.builds(
        numbered,
        st.sampled_from(list(HEADS.values())),
        st.sampled_from([b"  attempt%d: 1\n", b"  - {a%d: no}\n", b"  a%d: 0x1\n"]),
    ),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(path=st.sampled_from(list(HEADS)), body=HUGE)
def test_a_huge_document_is_read_or_refused(path: str, body: bytes) -> None:
    assert problems(path, body) <= MOST_PROBLEMS + 1


@pytest.mark.long
@settings(max_examples=2_000, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(path=st.sampled_from(list(HEADS)), body=HUGE)
def test_a_huge_document_takes_less_than_a_second(path: str, body: bytes) -> None:
    """Of this process's own time: others on the machine do not count."""
    began = time.process_time()
    problems(path, body)
    assert time.process_time() - began < 1
