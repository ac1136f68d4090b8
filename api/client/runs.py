"""Runs, and the models they register."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import quote

from pydantic import JsonValue

from api.client.connection import API, Connection, Query
from api.client.views import ModelVersion, Page, Run, Started, Written
from api.client.writing import WAIT, Asking, write

_PAGE = 200


class Runs:
    """The runs of a project."""

    def __init__(self, connection: Connection, project: Query) -> None:
        """Speak over `connection`; `project` goes into every query."""
        self._connection, self._project = connection, project

    def start(
        self,
        template: str,
        parameters: Mapping[str, JsonValue],
        *,
        name: str | None = None,
        register: Mapping[str, JsonValue] | None = None,
        asking: Asking = WAIT,
    ) -> Started:
        """Ask for a run of a template; without a name one is made. Raises Refused."""
        optional = {"name": name, "register": dict(register) if register else None}
        body = {"template_id": template, "params": dict(parameters)}
        body |= {key: value for key, value in optional.items() if value is not None}
        return write(self._connection, Started, "POST", f"{API}/runs", asking, query=self._project, json=body)

    def get(self, name: str) -> Run:
        """Return a run with its tasks. Raises NotFound."""
        return self._connection.view(Run, _at(name), self._project)

    def list(self) -> Iterator[Run]:
        """Yield the project's runs, newest first."""
        return self._connection.pages(Page[Run], f"{API}/runs", {**self._project, "limit": _PAGE})

    def cancel(self, name: str, *, asking: Asking = WAIT) -> Written:
        """Ask for the end of a run; a finished one stays as it is."""
        return write(self._connection, Written, "POST", f"{_at(name)}:cancel", asking, query=self._project)

    def log(self, name: str, task: str) -> str:
        """Return the end of a task's log, also while it runs."""
        return self._connection.read(f"{_at(name)}/logs", {**self._project, "task": task}, accept="text/plain").text

    def artifact(self, name: str, task: str, output: str) -> bytes:
        """Return the bytes of an output that is one object. Raises NotFound."""
        path = f"{_at(name)}/artifacts/{quote(task, safe='')}/{quote(output, safe='')}"
        return self._connection.read(path, self._project, accept="application/octet-stream").content


class Models:
    """The registry of a project."""

    def __init__(self, connection: Connection, project: Query) -> None:
        """Speak over `connection`; `project` goes into every query."""
        self._connection, self._project = connection, project

    def versions(self, model: str) -> tuple[ModelVersion, ...]:
        """Return the versions of a model, from the first. Raises NotFound."""
        path = f"{API}/models/{quote(model, safe='')}/versions"
        return self._connection.view(Page[ModelVersion], path, self._project).items


def _at(name: str) -> str:
    return f"{API}/runs/{quote(name, safe='')}"
