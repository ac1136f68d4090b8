"""Deployments: what is served, and asking it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from pydantic import BaseModel, JsonValue

from api.client.connection import API, Connection, Query
from api.client.views import Deployment, Page, View, Written
from api.client.writing import ANY, WAIT, Asking, write


class Tensor(View):
    """An input or output of a model, by the V2 protocol."""

    name: str
    shape: tuple[int, ...]
    datatype: str
    data: tuple[bool | int | float | str, ...]


class Inference(BaseModel):
    """What a model answered."""

    outputs: tuple[Tensor, ...]

    def output(self, name: str) -> Tensor:
        """Return the output of that name."""
        return next(each for each in self.outputs if each.name == name)


class Deployments:
    """The deployments of a project."""

    def __init__(self, connection: Connection, project: Query) -> None:
        """Speak over `connection`; `project` goes into every query."""
        self._connection, self._project = connection, project

    def get(self, name: str) -> Deployment:
        """Return a deployment. Raises NotFound."""
        return self._connection.view(Deployment, _at(name), self._project)

    def list(self) -> tuple[Deployment, ...]:
        """Return the project's deployments."""
        return self._connection.view(Page[Deployment], f"{API}/deployments", self._project).items

    def put(self, name: str, spec: Mapping[str, JsonValue], *, expects: str = ANY, asking: Asking = WAIT) -> Written:
        """Commit a deployment; a version without a digest gets the one of its model version. Raises Refused."""
        body = dict(spec)
        return write(
            self._connection, Written, "PUT", _at(name), asking, expects=expects, query=self._project, json=body
        )

    def roll_back(self, name: str, reason: str, *, asking: Asking = WAIT) -> Written:
        """Ask for what was last good, held there until the deployment is changed. Raises Refused."""
        body = {"reason": reason}
        return write(self._connection, Written, "POST", f"{_at(name)}:rollback", asking, query=self._project, json=body)

    def infer(
        self, path: str, inputs: Sequence[Tensor], outputs: Sequence[str] = (), *, request: str = ""
    ) -> Inference:
        """Ask what is served at a deployment's `path`, by the V2 protocol. It is never asked twice by itself.

        Only a tenant's own host serves.
        """
        body: dict[str, JsonValue] = {"inputs": [each.model_dump(mode="json") for each in inputs]}
        if outputs:
            body["outputs"] = [{"name": name} for name in outputs]
        if request:
            body["id"] = request
        return self._connection.parsed(Inference, self._connection.once("POST", path, json=body))


def _at(name: str) -> str:
    return f"{API}/deployments/{quote(name, safe='')}"
