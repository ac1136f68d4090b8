"""Forms of credentials. Every example is put together here, so that no scanner takes this file for one."""

from __future__ import annotations

import hashlib
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intents.checks import check
from intents.documents import Document
from intents.reading import read
from intents.secrets import credentials_in, is_password, may_hold_one
from tests.fixtures.examples import example_files
from tests.fixtures.trees import RUN, document, small_specs, small_tree

LETTERS = "aB3dE5gH7jK9mN1pQ4rS6tU8vW2xY0zA"
LONG = LETTERS * 4

CREDENTIALS = [
    ("AKIA" + "ABCDEFGHIJKLMNOP", "an AWS access key id"),
    ("ghp_" + LONG[:36], "a GitHub token"),
    ("github_pat_" + LONG[:22] + "_" + LONG[:59], "a GitHub token"),
    ("glpat-" + LONG[:20], "a GitLab token"),
    ("xoxb-" + "123456789012-" + LONG[:24], "a Slack token"),
    ("AIza" + LONG[:35], "a Google API key"),
    ("GOCSPX-" + LONG[:28], "a Google OAuth secret"),
    ("hf_" + "abcdefghijklmnopqrstuvwxyzABCDEFGH", "a Hugging Face token"),
    ("sk-proj-" + LONG[:24] + "T3BlbkFJ" + LONG[:24], "an OpenAI key"),
    ("sk-ant-" + "api03-" + LONG[:93], "an Anthropic key"),
    ("npm_" + LONG[:36], "an npm token"),
    ("pypi-AgE" + LONG[:60], "a PyPI token"),
    ("sk_live_" + LONG[:24], "a Stripe key"),
    ("dop_v1_" + "0123456789abcdef" * 4, "a DigitalOcean token"),
    ("AccountKey=" + LONG[:86] + "==", "an Azure storage key"),
    ("eyJ" + LONG[:20] + ".eyJ" + LONG[:40] + "." + LONG[:30], "a JSON web token"),
    ("-----BEGIN RSA " + "PRIVATE KEY-----", "a private key"),
    ("-----BEGIN " + "PRIVATE KEY-----", "a private key"),
    ("postgres://scott:" + "t1ger7@db.example/lake", "a password in an address"),
]


@pytest.mark.parametrize(("text", "what"), CREDENTIALS)
def test_a_credential_is_known_by_its_form(text: str, what: str) -> None:
    for around in (text, f"use {text} please", f'"{text}"'):
        assert list(credentials_in(around)) == [what]
        assert may_hold_one(around)


@pytest.mark.parametrize(
    "text",
    [
        "AKIA",
        "AKIAexample",
        "ghp_short",
        "my-ghp_" + "x" * 10,
        "the hf_ prefix",
        "https://user@git.example/repo.git",
        "https://git.example/a:b@c/d",
        "postgres://scott:$(PASSWORD)@db.example/lake",
        "postgres://scott:{{password}}@db.example/lake",
        "-----BEGIN PUBLIC KEY-----",
        "eyJhbGciOiJIUzI1NiJ9",
        "docker.io/library/python:3.11",
    ],
)
def test_what_only_resembles_one_is_left_alone(text: str) -> None:
    assert list(credentials_in(text)) == []


@pytest.mark.parametrize("key", ["password", "db_password", "apiKey", "HF_TOKEN", "client-secret", "secretKey"])
def test_a_random_text_under_a_secrets_name_is_the_secret(key: str) -> None:
    assert is_password(key, LETTERS)
    assert may_hold_one(f"parameters:\n  {key}: {LETTERS}\n")
    assert may_hold_one(f'{{"{key}": "{LETTERS}"}}')


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("password", "short1A"),
        ("password", "fraud-database-password"),
        ("secret", "platform/fraud/lake-credentials-2"),
        ("token", "<|endoftext|>"),
        ("tokenizer", LETTERS),
        ("max_tokens", LETTERS),
        ("monkey", LETTERS),
        ("key", LETTERS),
        ("api_key", hashlib.sha256(b"x").hexdigest()),
        ("api_key", "sha256:" + hashlib.sha256(b"x").hexdigest()),
        ("token", str(uuid.UUID(int=2**127 + 12345678901234567890))),
        ("password", "several words, not 1 secret"),
    ],
)
def test_names_and_digests_are_no_passwords(key: str, value: str) -> None:
    assert not is_password(key, value)


@given(
    st.binary().map(lambda data: hashlib.sha256(data).hexdigest())
    | st.binary().map(lambda data: "sha256:" + hashlib.sha256(data).hexdigest())
    | st.binary().map(lambda data: hashlib.sha1(data).hexdigest())  # noqa: S324 - a commit id
    | st.uuids().map(str)
)
def test_digests_commits_and_uids_are_no_credentials(text: str) -> None:
    assert list(credentials_in(text)) == []
    assert not is_password("secret", text)
    assert not may_hold_one(f"digest: {text}")


@given(st.text(max_size=80), st.sampled_from(CREDENTIALS))
def test_the_cheap_look_never_misses_what_the_closer_one_finds(text: str, credential: tuple[str, str]) -> None:
    for each in (text, f"{text} {credential[0]}", f"{text}\n  password: {LETTERS}\n"):
        if any(credentials_in(each)):
            assert may_hold_one(each)


def test_no_example_looks_like_one() -> None:
    assert [path for path, body in example_files().items() if any(credentials_in(body.decode()))] == []


def found(body: str) -> list[tuple[str, int, str]]:
    tree = small_tree()
    made: Document = read(RUN, body.encode())
    problems = check(tree, tree.advance({RUN: made}), [RUN])
    return [(each.field, each.line, each.message) for each in problems if each.code == "looks-like-secret"]


def test_every_free_text_of_an_intent_is_looked_at() -> None:
    token = CREDENTIALS[1][0]
    head = "apiVersion: ordain.dev/v1alpha1\nkind: Run\n"
    spec = "spec:\n  template: train@1.0.0\n  parameters:\n    rounds: 1\n"
    assert found(head + spec) == []
    assert found(head + spec + f"    label: {token}\n") == [
        ("spec.parameters.label", 7, "this looks like a GitHub token")
    ]
    assert found(head + f"metadata: {{labels: {{a: {token}}}}}\n" + spec)[0][:2] == ("metadata.labels.a", 3)
    assert found(head + f"metadata: {{annotations: {{{token}: a}}}}\n" + spec)[0][1] == 3
    assert found(head + spec + f"    nested: [{{db: {{password: {LETTERS}}}}}]\n") == [
        ("spec.parameters.nested.0.db.password", 7, "this looks like a password")
    ]
    assert found(head + f"# until I find a better place: {token}\n" + spec) == [
        ("", 3, "this comment looks like a GitHub token")
    ]


def test_the_small_tree_holds_none() -> None:
    for path, spec in small_specs().items():
        assert not may_hold_one(document(path, spec).body.decode())


@pytest.mark.parametrize(
    "text",
    [
        "sk-" * 20_000 + "T3BlbkFJ",
        "-eyJ" * 50_000,
        "-eyJ" * 50_000 + ".eyJ",
        "a" * 200_000 + "://@",
        "a://" * 50_000 + "@",
        "key:" + " " * 200_000,
        "key: |" * 30_000,
        "-----BEGIN A A A A " * 10_000 + "PRIVATE KEY",
        "token: " + "A-" * 100_000,
        "AKIA" * 50_000,
    ],
)
def test_no_text_takes_long(text: str) -> None:
    """A pattern that looked far from each of many places would run into the time limit of the test."""
    may_hold_one(text)
    list(credentials_in(text))
    is_password("token", text.removeprefix("token: "))
