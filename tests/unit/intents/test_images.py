# ruff: noqa: E501 - a table is read by its lines
from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intents.images import allowed, complaint, normalised, pattern_regex

DIGEST = "sha256:" + "0123456789abcdef" * 4
OTHER = "sha256:" + "f" * 64


@pytest.mark.parametrize(
    ("image", "normal"),
    [
        ("python", "docker.io/library/python:latest"),
        ("python:3.11", "docker.io/library/python:3.11"),
        ("library/python:3.11", "docker.io/library/python:3.11"),
        ("docker.io/python:3.11", "docker.io/library/python:3.11"),
        ("index.docker.io/library/python:3.11", "docker.io/library/python:3.11"),
        ("index.docker.io/python", "docker.io/library/python:latest"),
        ("acme/trainer", "docker.io/acme/trainer:latest"),
        (f"python@{DIGEST}", f"docker.io/library/python@{DIGEST}"),
        (f"python:3.11@{DIGEST}", f"docker.io/library/python:3.11@{DIGEST}"),
        ("localhost/python", "localhost/python:latest"),
        ("localhost:5000/python", "localhost:5000/python:latest"),
        ("registry.example.com/ml/a/b:1", "registry.example.com/ml/a/b:1"),
        ("nvcr.io/nvidia/tritonserver:24.10-py3", "nvcr.io/nvidia/tritonserver:24.10-py3"),
    ],
)
def test_the_normal_form(image: str, normal: str) -> None:
    assert normalised(image) == normal
    assert normalised(normal) == normal
    assert complaint(image) is None


# Pattern, images that it allows, images that it does not.
PATTERNS: list[tuple[str, list[str], list[str]]] = [
    ("docker.io/library/python", ["python", "python:3.11", f"python@{DIGEST}", f"docker.io/python:3.11@{DIGEST}"], ["python3:1", "acme/python", "docker.io.evil.example/library/python:3", "evil.example/docker.io/library/python"]),
    ("python:*", ["python", "library/python:3.11", f"python@{DIGEST}"], ["pypy:3"]),
    ("docker.io/library/python:3.*", ["python:3.11", "index.docker.io/library/python:3.9-slim"], ["python", "python:2.7", "python:3", f"python:3.11@{DIGEST}", f"python@{DIGEST}"]),
    ("docker.io/python:3.11", ["python:3.11"], ["python:3x11", "python:3.11.1"]),
    (f"python@{DIGEST}", [f"python@{DIGEST}", f"docker.io/library/python:3.11@{DIGEST}"], [f"python@{OTHER}", "python:3.11"]),
    (f"python:3.11@{DIGEST}", [f"python:3.11@{DIGEST}"], [f"python@{DIGEST}", f"python:3.12@{DIGEST}", "python:3.11"]),
    ("registry.example.com/ml/app@sha256:*", [f"registry.example.com/ml/app@{DIGEST}", f"registry.example.com/ml/app:2@{DIGEST}"], ["registry.example.com/ml/app:2"]),
    ("registry.example.com/ml/*", ["registry.example.com/ml/a:1", "registry.example.com/ml/a/b:1", f"registry.example.com/ml/a@{DIGEST}"], ["registry.example.com/web/a:1", "registryXexample.com/ml/a:1", "registry.example.com/mlx/a:1"]),
    ("*.example.com/ml/*", ["eu.example.com/ml/a:1", "a.b.example.com/ml/a"], ["evil.com/x.example.com/ml/a:1", "example.com/ml/a"]),
    ("localhost:5000/*:1", ["localhost:5000/a/b:1"], ["localhost:5001/a/b:1", "localhost:5000/a:2", "localhost:5000/a"]),
    ("docker.io/*", ["python:3.11", "acme/trainer"], ["quay.io/acme/trainer"]),
    ("docker.io/py*", ["python", "pypy:3"], ["acme/python"]),
    ("acme/*", ["acme/a:1", "docker.io/acme/a/b"], ["python", "acmes/a"]),
    ("*/acme/*", ["quay.io/acme/a", "acme/a"], ["quay.io/evil/acme/a"]),
    ("*", ["python", "quay.io/acme/a:1", f"acme/a@{DIGEST}"], []),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "good", "bad"), PATTERNS, ids=[row[0] for row in PATTERNS])
def test_what_a_pattern_allows(pattern: str, good: list[str], bad: list[str]) -> None:
    assert [image for image in good if not allowed(image, [pattern])] == []
    assert [image for image in bad if allowed(image, [pattern])] == []


def test_one_pattern_is_enough() -> None:
    assert allowed("python", ["quay.io/*", "python"])
    assert not allowed("python", [])


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("", "no image"),
        ("{{workflow.parameters.image}}", "placeholder"),
        ("{{$.inputs.parameters['image']}}", "placeholder"),
        ("registry.example.com/$(image)", "placeholder"),
        ("${IMAGE}", "placeholder"),
        ("<image>", "placeholder"),
        ("Python:3.11", "is no image"),
        ("python: 3.11", "is no image"),
        ("python:", "is no image"),
        ("python@sha256:abc", "is no image"),
        ("https://registry.example.com/a", "is no image"),
        ("a//b", "is no image"),
        ("a" * 600, "is no image"),
    ],
)
def test_what_is_no_image(image: str, said: str) -> None:
    assert said in (complaint(image) or "")


NAMES = st.from_regex(r"[a-z0-9]{1,4}([._-][a-z0-9]{1,3})?(/[a-z0-9]{1,4}){0,2}(:[a-z0-9]{1,3})?", fullmatch=True)
GLOBS = st.from_regex(r"[a-z0-9*]{1,4}(\.[a-z*]{1,3})?(/[a-z0-9*]{1,4}){0,2}(:[a-z0-9*.]{1,3})?", fullmatch=True)


@given(image=NAMES, pattern=GLOBS)
def test_the_verdict_is_the_regexs_and_does_not_hang_on_the_spelling(image: str, pattern: str) -> None:
    verdict = allowed(image, [pattern])
    assert verdict == allowed(normalised(image), [pattern])
    assert verdict == bool(re.search(pattern_regex(pattern), normalised(image)))


@given(NAMES)
def test_every_image_is_allowed_by_itself(image: str) -> None:
    assert allowed(image, [image])
