"""No intent holds a credential: it would be in the history for good, and on every copy of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from intents.checks.amounts import Place
from intents.checks.rule import Change
from intents.composing import compose
from intents.problems import Problem
from intents.secrets import credentials_in, is_password, may_hold_one

_HINT = "take it out and revoke it; name a secret of the cluster instead"


def no_secrets(change: Change) -> Iterator[Problem]:
    """No text of the document, labels and annotations included, looks like a credential."""
    document = change.document
    if not may_hold_one(document.body.decode("utf-8", "replace")):
        return
    found = _found(document.body)
    for place, what in found:
        yield document.problem("looks-like-secret", f"this looks like {what}", *place, hint=_HINT)
    told = {what for _, what in found}
    for line, text in enumerate(document.body.decode("utf-8", "replace").splitlines(), start=1):
        for what in credentials_in(text) if "#" in text else ():
            if what not in told:
                message = f"this comment looks like {what}"
                yield Problem("looks-like-secret", change.path, line, text.index("#") + 1, message, _HINT)


@lru_cache(maxsize=256)
def _found(body: bytes) -> tuple[tuple[Place, str], ...]:
    """Return places and sorts. A body is looked at once: intents stay the same for many checks."""
    return tuple(_walk(compose(body).value, ()))


def _walk(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from ((place, what) for what in credentials_in(key))
            yield from _walk(each, (*place, key))
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from _walk(each, (*place, at))
    elif isinstance(value, str):
        sorts = list(credentials_in(value))
        if not sorts and place and is_password(str(place[-1]), value):
            sorts = ["a password"]
        yield from ((place, what) for what in dict.fromkeys(sorts))
