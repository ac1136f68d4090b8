"""Invariants of what clients send: keys, and the paths that may be written at all."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from intents.identity import identify
from reconciler.planning.companions import is_companion
from reconciler.planning.idempotency import RequestKey

WORD = st.text(max_size=20)
PARTS = st.lists(st.binary(max_size=20), max_size=5)
SEGMENT = st.sampled_from(
    (
        *("tenants", "acme", "projects", "fraud", "runs", "2026-11-23", "deployments", "templates", "1.0.0"),
        *("a.yaml", "template.yaml", "tenant.yaml", "A.yaml", "..", ".", "", ".git", "a\0", "a\\b", "a.yaml "),
        *("\uff41.yaml", "\u017f.yaml"),  # wide a, long s: letters that some systems take for a and s
    )
)
SAFE = re.compile(r"[a-z0-9_][a-z0-9._-]*(?:/[a-z0-9_][a-z0-9._-]*)*")


@given(WORD, WORD, WORD, PARTS)
def test_a_key_comes_back_from_its_trailer(tenant: str, user: str, key: str, asked: list[bytes]) -> None:
    made = RequestKey.of("acme", user, key, asked)
    assert RequestKey.from_trailer(made.to_trailer()) == made
    assert re.fullmatch(r"[0-9a-f]{32} [0-9a-f]{32} acme", made.to_trailer())


@given(st.tuples(WORD, WORD, WORD, PARTS), st.tuples(WORD, WORD, WORD, PARTS))
@example(("a", "bc", "d", []), ("ab", "c", "d", []))
@example(("a", "b", "c", [b"de", b"f"]), ("a", "b", "c", [b"d", b"ef"]))
@example(("a", "b", "c", [b""]), ("a", "b", "c", []))
def test_keys_are_alike_only_where_all_of_it_is(
    one: tuple[str, str, str, list[bytes]], other: tuple[str, str, str, list[bytes]]
) -> None:
    first, second = RequestKey.of(*one), RequestKey.of(*other)
    assert (first.hash == second.hash) == (one[:3] == other[:3])
    assert (first.body == second.body) == (one[3] == other[3])


@given(st.lists(SEGMENT, min_size=1, max_size=7).map("/".join) | st.text())
def test_what_can_be_written_is_one_file_on_every_machine(path: str) -> None:
    """No folder above, no hidden file, nothing that another case or form of a letter would also name."""
    if identify(path) is not None or is_companion(path):
        assert SAFE.fullmatch(path), path
        assert path == path.casefold()
