"""The OpenAPI document is true: nothing it allows meets an error of the server, and answers are what it says."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.http import commits
from tests.fixtures.approvals import DEPLOY_SPEC
from tests.fixtures.trees import DDP, DEPLOYMENT, MODEL_1, MODEL_2, ROLLOUT, SCHEDULE, TRAINING_JOB, small_specs
from tests.fixtures.write_world import ACME, ADMIN, PLATFORM_HOST, WriteWorld, write_world
from tests.support.ledgers import PostgresServer
from tests.support.repositories import DEVELOPER, intent

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ENDLESS = "/api/v1/events"
"""A stream of events ends when the client goes."""
FRAUD, WATCHED = "tenants/acme/projects/fraud", "tenants/acme/projects/watched"
"""A project in which deployments need approval."""
RUN = "tenants/acme/projects/fraud/runs/2026-11-23/asked.yaml"
KNOWN: dict[str, list[str]] = {
    "path": [DEPLOYMENT, ROLLOUT, SCHEDULE, TRAINING_JOB, MODEL_1, RUN, "platform/clusters/local.yaml"],
    "name": ["scoring", "nightly", "linear", "asked", "a\0b"],
    "template": ["train", "train@1.0.0", "ddp@1.0.0", "a\0b"],
    "model": ["fraud", "a\0b"],
    "author": [DEVELOPER, "a\0b"],
}
"""Names that are there, as what is made up finds nothing and stays on the surface; and what Postgres cannot hold."""
SEED = 20261123


@dataclass
class Served:
    """The API, its writer at work, on a port of this machine."""

    world: WriteWorld
    port: int
    changes: list[str] = field(default_factory=list)
    """Those that were open when it began."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def known(self) -> dict[str, list[str]]:
        return {**KNOWN, "change_id": self.changes}

    def open_changes(self, count: int) -> None:
        """Ask for deployments that others have to approve."""
        headers = {"X-Forwarded-User": DEVELOPER, "Host": ACME, "Content-Type": "application/yaml"}
        for number in range(count):
            path = f"{WATCHED}/deployments/watched-{number}.yaml"
            body = intent(path, DEPLOY_SPEC)
            asked = httpx.put(f"{self.url}/api/v1/intents/{path}?wait=30", content=body, headers=headers, timeout=60)
            assert asked.status_code == HTTPStatus.ACCEPTED, asked.text
            self.changes.append(asked.json()["change"])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Served]:
    specs = small_specs()
    more = {path: specs[path] for path in (DEPLOYMENT, ROLLOUT, SCHEDULE, DDP, TRAINING_JOB, MODEL_1, MODEL_2)}
    more[f"{WATCHED}/project.yaml"] = {"cluster": "local", "approvals": {"ModelDeployment": 1}}
    more[MODEL_1.replace(FRAUD, WATCHED)] = specs[MODEL_1]
    ledger = postgres_server.fresh()
    world = write_world(tmp_path_factory.mktemp("openapi"), more, ledger)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(world.app, log_level="error", lifespan="off"))

    async def serve() -> None:
        async with world.writing():
            await server.serve(sockets=[listening])

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    made = Served(world, listening.getsockname()[1])
    try:
        made.open_changes(6)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(commits, "LONGEST_WAIT_SECONDS", 0.02)
            yield made
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        ledger.drop()


def operations(document: dict[str, Any]) -> list[Any]:
    schema = schemathesis.openapi.from_dict(document)
    found: list[Any] = list(schema.get_all_operations())
    return [result.ok() for result in found if result.ok().path != ENDLESS]


def asks(served: Served, operation: Any, user: str, host: str, examples: int) -> Callable[[], None]:
    """Return a function that asks for one operation so many times, each time with something else."""
    headers, there = {"X-Forwarded-User": user, "Host": host}, served.known

    @seed(SEED)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), known=st.booleans(), number=st.integers(0, 20))
    def ask(case: Any, known: bool, number: int) -> None:
        if known:
            parameters = {**case.path_parameters}
            for name in parameters.keys() & there.keys():
                parameters[name] = there[name][number % len(there[name])]
            case.path_parameters = parameters
            for name in (case.query or {}).keys() & {"path", "author"}:
                case.query = {**case.query, name: there[name][number % len(there[name])]}
        case.call_and_validate(base_url=served.url, headers=headers, checks=CHECKS, timeout=40)

    return ask


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("examples", [4, pytest.param(40, marks=pytest.mark.long)])
@pytest.mark.parametrize(("user", "host"), [(DEVELOPER, ACME), (ADMIN, PLATFORM_HOST)])
def test_nothing_that_is_allowed_meets_an_error(served: Served, user: str, host: str, examples: int) -> None:
    document = served.world.app.openapi()
    found = operations(document)
    assert len(found) > 35
    for operation in found:
        asks(served, operation, user, host, examples)()


def test_refusals_are_problem_json_everywhere(served: Served) -> None:
    document = served.world.app.openapi()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            refused = operation["responses"]["4XX"]["content"]
            assert refused.keys() == {"application/problem+json"}, (method, path)
            assert any(status.startswith("2") for status in operation["responses"]), (method, path)
            assert operation["summary"], (method, path)
            assert operation["description"], (method, path)


def test_every_answer_has_a_form(served: Served) -> None:
    """An answer of no declared form would be documented as anything at all."""
    document = served.world.app.openapi()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for status, answer in operation["responses"].items():
                for media_type, content in answer.get("content", {}).items():
                    assert content.get("schema"), (method, path, status, media_type)
