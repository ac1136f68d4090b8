"""How people name an intent: `run/train-01`, `model/fraud@2`; and where it lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from intents.identity import Identity
from intents.kind_names import CALLED, UnknownKind, kind_called
from intents.kinds.base import Kind

VERSIONED = frozenset({Kind.TEMPLATE, Kind.MODEL_VERSION})
PLATFORMS_OWN = frozenset({Kind.PLATFORM, Kind.CLUSTER, Kind.TEMPLATE})
"""Kinds that lie outside all tenants."""


class Ambiguous(Exception):
    """A text does not say which intent is meant; the message says what is missing."""


@dataclass(frozen=True)
class Reference:
    """One intent as people name it; without a version, the newest one of a kind that has versions."""

    kind: Kind
    name: str
    version: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `KIND/NAME` or `KIND/NAME@VERSION`, the kind in any case and in short. Raises Ambiguous."""
        word, slash, name = text.partition("/")
        kind = kind_named(word)
        name, at, version = name.partition("@")
        if not slash or not name or "/" in name or (at and not version):
            form = "NAME@VERSION" if kind in VERSIONED else "NAME"
            raise Ambiguous(f"`{text}` names no {CALLED[kind][0]}: write {CALLED[kind][0]}/{form}")
        if version and kind not in VERSIONED:
            raise Ambiguous(f"a {CALLED[kind][0]} has no version: leave `@{version}` out")
        return cls(kind, name, version)

    @classmethod
    def of(cls, identity: Identity) -> Self:
        """Return how people name what has this identity."""
        return cls(identity.kind, identity.name, identity.version)

    @property
    def label(self) -> str:
        """Its name, and its version where it has one."""
        return f"{self.name}@{self.version}" if self.version else self.name

    def __str__(self) -> str:
        return f"{CALLED[self.kind][0]}/{self.label}"


def kind_named(word: str) -> Kind:
    """Return the kind that is called so. Raises Ambiguous, with what comes near."""
    try:
        return kind_called(word)
    except UnknownKind as unknown:
        raise Ambiguous(str(unknown)) from unknown
