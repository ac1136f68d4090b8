"""Intents of every kind: read, listed, written, compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from pydantic import JsonValue

from api.client.connection import API, Connection, Query
from api.client.errors import NotFound
from api.client.views import Diff, IntentItem, Page, Version, Written
from api.client.writing import ANY, WAIT, Asking, write
from intents.composing import compose
from intents.identity import Identity, identify
from intents.kinds.base import Kind

if TYPE_CHECKING:  # it loads all that plans are made by
    from api.client.plans import Planned

YAML = "application/yaml"
_PAGE = 500
_PAGE_OF_HISTORY = 200


@dataclass(frozen=True)
class Intent:
    """One intent at one commit, byte by byte."""

    path: str
    content: bytes
    blob: str
    """The id git gives the bytes; what a write that is decided on them expects."""
    commit: str
    """The commit it was read at."""

    @property
    def identity(self) -> Identity:
        """What its path is the name of."""
        identity = identify(self.path)
        if identity is None:
            raise LookupError(self.path)
        return identity

    @property
    def document(self) -> JsonValue:
        """The document as plain values."""
        value: JsonValue = compose(self.content).value
        return value


@dataclass(frozen=True)
class Write:
    """One path of a batch; without content it is removed."""

    path: str
    content: str | None
    expects: str = ANY
    """What must stand there: a blob id, ABSENT or ANY."""


class Intents:
    """The intents of a tenant or, on the bare host, the platform's own."""

    def __init__(self, connection: Connection, project: Query) -> None:
        """Speak over `connection`; `project` goes into the query of every write."""
        self._connection, self._project = connection, project

    def get(self, path: str, commit: str | None = None) -> Intent:
        """Return an intent, at head or as it was at a commit. Raises NotFound."""
        answer = self._connection.read(_at(path), {"commit": commit} if commit else {}, accept=YAML)
        blob, at = (answer.headers.get(name, "").strip('"') for name in ("ETag", "Ordain-Commit"))
        if not blob or not at:
            raise self._connection.foreign(answer)
        return Intent(path, answer.content, blob, at)

    def find(self, path: str, commit: str | None = None) -> Intent | None:
        """Return the same, or None where there is nothing."""
        try:
            return self.get(path, commit)
        except NotFound:
            return None

    def list(
        self,
        kind: Kind | None = None,
        *,
        project: str | None = None,
        name: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Iterator[IntentItem]:
        """Yield what there is at head, by path; everything where nothing is asked for."""
        given = {"kind": kind.value if kind else None, "project": project, "name": name}
        query: dict[str, str | int | list[str]] = {key: value for key, value in given.items() if value is not None}
        query |= {"limit": _PAGE, "label": [f"{key}={value}" for key, value in (labels or {}).items()]}
        return self._connection.pages(Page[IntentItem], f"{API}/intents", query)

    def put(self, path: str, content: bytes, *, expects: str = ANY, asking: Asking = WAIT) -> Written:
        """Commit a document at its path, if what is expected stands there. Raises Refused and Conflict."""
        where = self._connection, Written, "PUT", _at(path)
        return write(*where, asking, expects=expects, query=self._project, media_type=YAML, content=content)

    def delete(self, path: str, *, expects: str = ANY, asking: Asking = WAIT) -> Written:
        """Remove an intent; with a deployment goes its rollout. Raises NotFound, Refused and Conflict."""
        return write(self._connection, Written, "DELETE", _at(path), asking, expects=expects, query=self._project)

    def change(self, writes: Sequence[Write], subject: str = "", *, asking: Asking = WAIT) -> Written:
        """Commit several writes at once: all of them, or none. Raises Refused and Conflict."""
        body = {"subject": subject, "writes": [vars(each) for each in writes]}
        return write(self._connection, Written, "POST", f"{API}/changes", asking, query=self._project, json=body)

    def plan(self, writes: Sequence[Write]) -> Planned:
        """Return what the same would do; nothing is written. Raises Refused and Conflict, as it would."""
        from api.client.plans import Planned  # noqa: PLC0415 - as above

        body = {"writes": [vars(each) for each in writes]}
        answer = self._connection.again("POST", f"{API}/changes", query={**self._project, "dry_run": "true"}, json=body)
        return self._connection.parsed(Planned, answer)

    def history(self, path: str) -> Iterator[Version]:
        """Yield the commits that changed an intent, newest first; also of one that is gone. Raises NotFound."""
        return self._connection.pages(Page[Version], f"{API}/history", {"path": path, "limit": _PAGE_OF_HISTORY})

    def diff(self, path: str, before: str, after: str | None = None) -> Diff:
        """Return what differs between an intent at two commits; without the second, at head."""
        query = {"path": path, "from": before, **({"to": after} if after else {})}
        return self._connection.view(Diff, f"{API}/diff", query)


def _at(path: str) -> str:
    return f"{API}/intents/{quote(path)}"
