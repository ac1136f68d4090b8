"""`ordain change`, as a person calls it, against the API on a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn
from click.testing import CliRunner, Result

from api.cli.client import Client
from api.cli.connection import PLATFORM, Connector, Speaker
from api.main import main
from tests.fixtures.approvals import APPROVER, BLUE, DEPLOY_SPEC, SECOND_SPEC, approved_specs
from tests.fixtures.trees import DEPLOYMENT, GLOBEX, RUN, TRAIN, small_specs
from tests.fixtures.write_world import WriteWorld, write_world
from tests.support.repositories import DEVELOPER, intent

pytestmark = pytest.mark.anyio

ANN = APPROVER.user
EVIL = "Deploy \x1b[31mred\x1b[0m \u202e [bold]"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Terminal:
    """The command line, and the API behind it."""

    world: WriteWorld
    socket: Path

    def connect(self, speaker: Speaker) -> Client:
        path = "" if speaker.tenant == PLATFORM else f"/t/{speaker.tenant}"
        headers = {"X-Forwarded-User": speaker.person or DEVELOPER}
        return Client(f"http://api{path}", "ml.localhost", httpx.AsyncHTTPTransport(uds=str(self.socket)), headers)

    async def run(self, *words: str, who: str = DEVELOPER, tenant: str = "acme") -> Result:
        """Run `ordain change` in a thread, with an event loop of its own."""
        options = ("--tenant", tenant, "--as", who)
        runner, connector = CliRunner(), Connector(self.connect)
        return await asyncio.to_thread(runner.invoke, main, ("change", words[0], *options, *words[1:]), obj=connector)

    async def says(self, *words: str, who: str = DEVELOPER) -> str:
        """Return what it prints; no line is wider than a terminal."""
        done = await self.run(*words, who=who)
        assert done.exit_code == 0, done.output
        assert max(map(len, done.output.splitlines()), default=0) <= 80, done.output
        return done.output

    async def open(self, path: str = BLUE, subject: str = "Deploy blue", **query: str) -> str:
        spec = DEPLOY_SPEC if path == BLUE else SECOND_SPEC
        body = {"subject": subject, "writes": [{"path": path, "content": intent(path, spec).decode()}]}
        async with self.world.client() as client:
            answer = await client.post("/api/v1/changes", json=body, params={"wait": "10", **query})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["change"])


@asynccontextmanager
async def served(world: WriteWorld, socket: Path) -> AsyncIterator[None]:
    server = uvicorn.Server(uvicorn.Config(world.app, uds=str(socket), log_level="warning", lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task


@pytest.fixture
async def terminal(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Terminal]:
    specs = {path: spec for path, spec in approved_specs().items() if path not in {RUN, TRAIN, GLOBEX}}
    world = write_world(tmp_path, specs)
    socket = tmp_path / "api"
    async with world.writing(), served(world, socket):
        yield Terminal(world, socket)


def facts(output: str) -> list[str]:
    """Return the lines with one blank between words."""
    return [" ".join(line.split()) for line in output.splitlines()]


def digest_in(output: str) -> str:
    return next(line.split()[1] for line in output.splitlines() if line.startswith("  plan"))


async def test_from_the_list_to_main(terminal: Terminal) -> None:
    change = await terminal.open()
    (heading, row) = (await terminal.says("list")).splitlines()
    assert heading.split() == ["id", "state", "opened", "author", "subject"]
    assert row.split()[:2] == [change, "open"]
    assert row.endswith(f"{DEVELOPER}  Deploy blue")
    shown = await terminal.says("show", change, who=ANN)
    assert f"Change {change}  open" in shown
    assert {"approvals 0 of 1", f"ask group acme-leads, {ANN}", f"author {DEVELOPER}"} <= set(facts(shown))
    assert "Plan: intents: 1 added" in shown
    assert f"ordain change approve {change} --plan {digest_in(shown)}" in shown
    approved = await terminal.says("approve", change, "--plan", digest_in(shown), who=ANN)
    assert approved == f"approved; merge it: ordain change merge {change}\n"
    assert "open, 1 approval" in await terminal.says("list")
    approved = await terminal.says("show", change)
    assert {"approvals 1 of 1", ANN} <= set(facts(approved))
    assert await terminal.says("merge", change) == f"merged as commit {terminal.world.head}\n"
    assert await terminal.says("list") == "no changes (open)\n"
    ended = await terminal.says("show", change)
    assert f"Change {change}  merged" in ended
    assert f"approved by {ANN}" in facts(ended)
    assert "+kind: ModelDeployment" in ended


async def test_merged_with_the_last_approval(terminal: Terminal) -> None:
    change = await terminal.open(merge="when-approved")
    shown = await terminal.says("show", change, "--diff")
    assert "merged with the last approval" in facts(shown)
    assert "+kind: ModelDeployment" in shown
    said = await terminal.says("approve", change, "--plan", digest_in(shown), who=ANN)
    assert said == f"approved; merged as commit {terminal.world.head}\n"


async def test_what_is_refused_is_said_and_ends_with_1(terminal: Terminal) -> None:
    change = await terminal.open()
    digest = digest_in(await terminal.says("show", change))
    own = await terminal.run("approve", change, "--plan", digest)
    assert own.exit_code == 1
    assert "another person must" in own.output
    early = await terminal.run("merge", change)
    assert early.exit_code == 1
    assert "1 approval is missing" in early.output
    assert f"ask group acme-leads, {ANN}" in early.output
    other = await terminal.run("approve", change, "--plan", "0" * 12, who=ANN)
    assert (other.exit_code, "look at it again" in other.output) == (1, True)
    short = await terminal.run("approve", change, "--plan", digest[:4], who=ANN)
    assert short.exit_code == 1
    unnamed = await terminal.run("approve", change, who=ANN)
    assert (unnamed.exit_code, "name the plan that was read" in unnamed.output) == (2, True)
    unknown = await terminal.run("show", "0000000000")
    assert (unknown.exit_code, "does not exist" in unknown.output) == (1, True)


async def test_a_conflict_is_shown_with_both_versions(terminal: Terminal) -> None:
    change, first = await terminal.open(DEPLOYMENT), await terminal.open(DEPLOYMENT, merge="when-approved")
    theirs = {**small_specs()[DEPLOYMENT], "endpoint": {"timeout": "9s"}}
    async with terminal.world.client() as client:
        body = {"writes": [{"path": DEPLOYMENT, "content": intent(DEPLOYMENT, theirs).decode()}]}
        await client.post(f"/api/v1/changes?change={first}&wait=10", json=body)
    digest = digest_in(await terminal.says("show", first))
    await terminal.says("approve", first, "--plan", digest, who=ANN)
    shown = await terminal.says("show", change)
    assert "main moved: " in shown
    assert "-    timeout: 9s\n" in shown


async def test_closing_and_lists_of_what_ended(terminal: Terminal) -> None:
    change = await terminal.open(subject=EVIL)
    assert await terminal.says("close", change, who=ANN) == "closed\n"
    listed = await terminal.says("list", "--state", "any", "--author", DEVELOPER, "--project", "fraud")
    assert change in listed
    assert f"closed by {ANN}" in facts(await terminal.says("show", change))
    for output in (listed, await terminal.says("show", change)):
        assert "\x1b" not in output
        assert "\u202e" not in output
        assert "[bold]" in output
    again = await terminal.run("close", change)
    assert (again.exit_code, "is closed by" in again.output) == (1, True)


async def test_programs_get_json(terminal: Terminal) -> None:
    change = await terminal.open()
    assert json.loads((await terminal.run("show", change, "--json")).output)["id"] == change
    listed = await terminal.run("list", "--json", "--limit", "1")
    assert [each["id"] for each in json.loads(listed.output)["items"]] == [change]
    assert "more than 1" in (await terminal.run("list", "--limit", "1")).output


async def test_a_platform_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = await asyncio.to_thread(
        CliRunner().invoke, main, ("change", "list", "--tenant", "acme", "--root", str(tmp_path))
    )
    assert (done.exit_code, "has no platform yet" in done.output) == (1, True)


def test_the_tenant_must_be_named() -> None:
    done = CliRunner().invoke(main, ("change", "list"), env={"ORDAIN_TENANT": None})
    assert (done.exit_code, "--tenant" in done.output) == (2, True)
