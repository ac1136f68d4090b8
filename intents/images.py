"""Container images, and the patterns that say which of them may run.

An image has many spellings: `python:3.11` is `docker.io/library/python:3.11`. Patterns are held against the normal
form, which four steps lead to; each is a regular expression of RE2, so that policies written in CEL can take the
same steps and come to the same verdict:

1. what does not match HAS_REGISTRY gets `docker.io/` in front;
2. `index.docker.io/` in front becomes `docker.io/`;
3. what matches OFFICIAL gets `library/` after `docker.io/`;
4. what does not match HAS_VERSION gets `:latest` at its end.

https://github.com/distribution/reference has the grammar and the defaults.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

DOCKER_HUB = "docker.io/"
HUB_ALIAS = "index.docker.io/"
LIBRARY = "library/"
LATEST = ":latest"
HAS_REGISTRY = r"^(?:localhost|[^/]*[.:][^/]*)/"
OFFICIAL = r"^docker\.io/[^/]+$"
HAS_VERSION = r"[:@][^/]*$"

_REFERENCE = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?/)?"
    r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
_LONGEST = 500
_HOST, _PATH, _TAG, _HEX = "[A-Za-z0-9.:-]", "[a-z0-9._/-]", "[A-Za-z0-9_.-]", "[0-9a-f]"
_ANY_TAG = f"(?::{_TAG}+)?"
_ANY_DIGEST = f"(?:@sha256:{_HEX}{{64}})?"


def complaint(image: str) -> str | None:
    """Return why `image` names no image, or None. Placeholders of template languages are named as such."""
    if not image:
        return "no image is named"
    if any(mark in image for mark in ("{{", "$(", "${", "<")):
        return f"`{image}` holds a placeholder: what would run is not known before it runs"
    if len(image) > _LONGEST or not _REFERENCE.fullmatch(image):
        return f"`{image}` is no image: <registry>/<repository>:<tag> or …@sha256:<digest>"
    return None


def normalised(image: str) -> str:
    """Return an image in the form that patterns are held against."""
    named = image if re.match(HAS_REGISTRY, image) else DOCKER_HUB + image
    named = DOCKER_HUB + named.removeprefix(HUB_ALIAS) if named.startswith(HUB_ALIAS) else named
    named = named.replace(DOCKER_HUB, DOCKER_HUB + LIBRARY, 1) if re.match(OFFICIAL, named) else named
    return named if re.search(HAS_VERSION, named) else named + LATEST


def allowed(image: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns allows `image`, however it is spelt."""
    name = normalised(image)
    return any(_compiled(pattern).fullmatch(name) for pattern in patterns)


def pattern_regex(pattern: str) -> str:
    r"""Return the anchored regular expression, of RE2 and Python alike, for images in normal form.

    A pattern is `<registry>/<repository>`, then `:<tag>`, `@sha256:<digest>` or both; `*` stands for any text
    within the registry, the repository (also across its slashes), the tag or the digest.

    - Without tag and digest, and with `:*`, every tag and every digest is allowed.
    - With a tag, only images with such a tag and without a digest: beside a digest a tag says nothing, since
      the digest alone is what is pulled.
    - With a digest, only images with such a digest, whatever their tag.
    - Short names are Docker Hub's, as in images; a first part with `*` in it is a registry; `*` alone is any image.
    """
    if pattern == "*":
        return "^.+$"
    name, tag, digest = _parts(pattern)
    registry, _, repository = name.partition("/")
    return f"^{_glob(registry, _HOST)}/{_glob(repository, _PATH)}{_version_regex(tag, digest)}$"


def _version_regex(tag: str, digest: str) -> str:
    if digest:
        return (_glob(f":{tag}", _TAG) if tag else _ANY_TAG) + _glob(f"@{digest}", _HEX)
    if tag in {"", "*"}:
        return _ANY_TAG + _ANY_DIGEST
    return _glob(f":{tag}", _TAG)


def _parts(pattern: str) -> tuple[str, str, str]:
    """Return full name, tag and digest of a pattern."""
    rest, _, digest = pattern.partition("@")
    folder, slash, last = rest.rpartition("/")
    last, _, tag = last.partition(":")
    return _full_name(folder + slash + last), tag, digest


def _full_name(name: str) -> str:
    first, slash, rest = name.partition("/")
    if not slash or not (re.match(HAS_REGISTRY, name) or "*" in first):
        first, rest = DOCKER_HUB.rstrip("/"), name
    if f"{first}/" in {DOCKER_HUB, HUB_ALIAS}:
        official = "/" not in rest and not rest.startswith("*")
        return DOCKER_HUB + (LIBRARY if official else "") + rest
    return f"{first}/{rest}"


def _glob(text: str, characters: str) -> str:
    return f"{characters}*".join(re.escape(part) for part in text.split("*"))


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern_regex(pattern))
