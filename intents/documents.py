"""A document: one intent as it was read, with its place in the file for every field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Generic, cast

from typing_extensions import TypeVar

from intents.composing import LONGEST_MESSAGE, Composed, compose, shortened
from intents.identity import Identity
from intents.kinds.base import Spec
from intents.problems import Problem, Severity

S_co = TypeVar("S_co", bound=Spec, covariant=True, default=Spec)


@dataclass(frozen=True, slots=True)
class Document(Generic[S_co]):
    """One valid intent. `blob` is the id git gives its bytes."""

    path: str
    identity: Identity
    spec: S_co
    blob: str
    body: bytes = field(repr=False)
    labels: Mapping[str, str] = field(default_factory=dict, repr=False)
    annotations: Mapping[str, str] = field(default_factory=dict, repr=False)

    def problem(
        self,
        code: str,
        message: str,
        *location: str | int,
        hint: str = "",
        severity: Severity = Severity.ERROR,
        across: str = "",
    ) -> Problem:
        """Return a problem at `location`, such as `"spec", "versions", 0, "model"`, with its line.

        Places are looked up only here: holding them for every intent would cost more than the intents.
        """
        line, column = _composed(self.body).place(location)
        message = shortened(_BREAK.sub(" ", message), LONGEST_MESSAGE)
        return Problem(code, self.path, line, column, message, hint, severity, dotted(location), across)


_BREAK = re.compile(r"\s*\n\s*")
"""In messages of parsers, which draw pictures of the place."""


@lru_cache(maxsize=4)
def _composed(body: bytes) -> Composed:
    """Compose a document once for all its problems: there may be thousands."""
    return compose(body)


def dotted(location: tuple[str | int, ...]) -> str:
    """Write a location as people do: `spec.versions.0.model`."""
    return shortened(".".join(str(part) for part in location), LONGEST_MESSAGE)


def of_spec(document: Document[Spec] | None, kind: type[S_co]) -> Document[S_co] | None:
    """Narrow a document to the spec its path promises."""
    if document is None:
        return None
    if not isinstance(document.spec, kind):
        raise TypeError(f"{document.path} is no {kind.__name__}")
    return cast(Document[S_co], document)
