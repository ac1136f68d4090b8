"""What a write costs, from its request to its durable commit, in repositories of 10,000 and 100,000 intents."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from uuid import uuid4

import git
from rich.table import Table

from intents.authority import Principal
from intents.kinds import Kind
from intents.writing import dump
from reconciler.planning.writing import ABSENT, RequestId, Write, WriteAction, WriteRequest
from reconciler.ports.repository import NewCommit
from reconciler.services.settings import PostgresRole
from reconciler.stores.git.repository import GitRepository
from reconciler.stores.ledger.database import Database
from reconciler.stores.ledger.requests import LedgerQueue
from reconciler.workers.loop import Turned
from reconciler.workers.writer import BATCH, Writer
from tests.bench.clients import Answers, Load, ask
from tests.bench.repository import PROJECTS, TENANTS, generate, write
from tests.bench.tables import percentiles, table, timed
from tests.bench.write_path import PERSON, WHO, WritePath, write_path

SIZES = (10_000, 100_000)
FLOOR_PACKS = 5
WAITING = 1_000
"""Requests that wait when the writer begins, of one intent each."""
GROUPS, GROUP = 40, 100
CLIENTS, EACH = 50, 40
IDLE = 100
PLAIN_COMMITS = 3


@dataclass(frozen=True)
class Cost:
    """What a number of commits took."""

    commits: int
    intents: int
    seconds: float
    cpu_seconds: float

    @property
    def cells(self) -> tuple[str, str, str]:
        """Commits a second, intents a second, CPU time of an intent."""
        return (
            f"{self.commits / self.seconds:,.0f}/s",
            f"{self.intents / self.seconds:,.0f}/s",
            f"{1000 * self.cpu_seconds / self.intents:.2f} ms",
        )


@dataclass(frozen=True)
class Measured:
    """What was measured in a repository of one size."""

    floor: Cost
    alone: Cost
    grouped: Cost
    many: Cost
    answers: Answers
    kept: str
    """What is wrong with the count of what was kept, in words."""
    idle: Answers


def tables(folder: Path) -> Iterator[Table]:
    """Measure the write path, and leave nothing running."""
    measured = {size: _measure(size) for size in SIZES}
    yield _writer_alone(measured)
    yield _over_http(measured)
    yield _beside_others(folder, measured)


def _measure(size: int) -> Measured:
    with write_path(size) as path:
        floor = _floor(path.repository)
        alone, grouped = asyncio.run(_drained(path))
        path.start_writer()
        tree = path.tree()
        path.start_api(tree)
        hosts = sorted(tree.hostnames())
        _load(path, hosts, Load(path.settings.edge_port, hosts, CLIENTS, 2, "warm"))
        before = path.repository.head()
        answers, many = _load(path, hosts, Load(path.settings.edge_port, hosts, CLIENTS, EACH, "many"))
        kept = _kept(path.repository, before, answers)
        idle, _ = _load(path, hosts, Load(path.settings.edge_port, hosts[:1], 1, IDLE, "idle"))
        return Measured(floor, alone, grouped, many, answers, kept, idle)


def _floor(repository: GitRepository) -> Cost:
    """Many commits a pack on a staging ref, and nothing else."""
    numbers = iter(range(FLOOR_PACKS * BATCH))
    base, at = repository.head(), datetime.now(UTC)
    packs = [
        [NewCommit(WHO, WHO, at, "Run\n", dict([_run("floor", next(numbers))])) for _ in range(BATCH)]
        for _ in range(FLOOR_PACKS)
    ]
    before = _own_cpu_seconds()
    seconds, _ = timed(lambda: [repository.append("floor", base, pack) for pack in packs])
    commits = FLOOR_PACKS * BATCH
    return Cost(commits, commits, seconds, _own_cpu_seconds() - before)


async def _drained(path: WritePath) -> tuple[Cost, Cost]:
    """The writer on a queue that is full: requests of one intent, then of a hundred."""
    database = Database(path.settings.postgres_dsn(PostgresRole.WORKER), size=8)
    await database.open()
    queue = LedgerQueue(database)
    writer = Writer(path.repository, queue, WHO, lambda: datetime.now(UTC))
    await writer.recover()
    singles = [_request("alone", [number]) for number in range(WAITING)]
    groups = [_request("group", range(GROUP * number, GROUP * (number + 1))) for number in range(GROUPS)]
    costs = [await _drain(path, writer, queue, requests) for requests in (singles, groups)]
    await database.close()
    return costs[0], costs[1]


async def _drain(path: WritePath, writer: Writer, queue: LedgerQueue, requests: Sequence[WriteRequest]) -> Cost:
    await asyncio.gather(*(queue.put(request) for request in requests))
    async with queue.hold() as lock:
        head = await writer.recover()
        first, cpu = head.commit, _own_cpu_seconds() + path.cpu_seconds()

        async def turns() -> None:
            at, turned = await writer.turn(head, lock)
            while turned is not Turned.IDLE:
                at, turned = await writer.turn(at, lock)

        began = asyncio.get_running_loop().time()
        await turns()
        seconds = asyncio.get_running_loop().time() - began
    cpu = _own_cpu_seconds() + path.cpu_seconds() - cpu
    made = path.repository.between(first, path.repository.head() or "")
    if len(made) != len(requests):
        raise RuntimeError(f"{len(requests)} requests became {len(made)} commits")
    return Cost(len(requests), sum(len(each.writes) for each in requests), seconds, cpu)


def _load(path: WritePath, hosts: Sequence[str], load: Load) -> tuple[Answers, Cost]:
    before = path.cpu_seconds()
    answers = ask(load)
    count = len(answers.all)
    return answers, Cost(count, count, answers.seconds, path.cpu_seconds() - before)


def _kept(repository: GitRepository, before: str | None, answers: Answers) -> str:
    """Say how what was accepted stands in the history: each run in the commit that its client was told, and once."""
    history = repository.between(before, repository.head() or "")
    made = Counter((commit.id, path) for commit in history for path in commit.trailers["Ordain-Intent"])
    times = Counter(path.rpartition("/")[2] for _, path in made)
    told = {(each.commit, f"{each.run}.yaml") for each in answers.all if each.status == HTTPStatus.CREATED}
    lost = told - {(commit, path.rpartition("/")[2]) for commit, path in made}
    doubled = [name for name, count in times.items() if count > 1]
    refused = len(answers.all) - len(told)
    return f"{len(told):,} accepted, {refused} refused, {len(lost)} lost, {len(doubled)} doubled"


def _writer_alone(measured: dict[int, Measured]) -> Table:
    found = table(
        f"durable commits, {BATCH} requests a pack at most",
        "",
        "at least",
        "intents",
        "commits",
        "intents a second",
        "CPU an intent",
    )
    for size, each in measured.items():
        found.add_row("floor: packs on a staging ref, nothing else", "", f"{size:,}", *each.floor.cells)
    for size, each in measured.items():
        found.add_row("writer, queue full", "400 commits/s", f"{size:,}", *each.alone.cells)
    for size, each in measured.items():
        found.add_row(f"writer, requests of {GROUP} intents", "1,500 intents/s", f"{size:,}", *each.grouped.cells)
    return found


def _over_http(measured: dict[int, Measured]) -> Table:
    found = table(
        "writes over HTTP through Envoy, each answered with its commit",
        "",
        "wanted",
        *(f"{size:,} intents" for size in measured),
    )

    def row(name: str, wanted: str, value: Callable[[Measured], str]) -> None:
        found.add_row(name, wanted, *(value(each) for each in measured.values()))

    row(f"{CLIENTS} clients", "≥ 200/s", lambda each: each.many.cells[0])
    row("p50", "", lambda each: percentiles(_seconds(each.answers))[0])
    row("p99", "≤ 250 ms", lambda each: percentiles(_seconds(each.answers))[1])
    row("counted in the history", "0 lost, 0 doubled", lambda each: each.kept)
    row("CPU a write, all parts", "", lambda each: each.many.cells[2])
    least = measured[min(measured)].many
    row("as a multiple", "≤ 1.5 times", lambda each: f"{each.many.cpu_seconds / least.cpu_seconds:.2f} times")
    row("one client, p50", "≤ 25 ms", lambda each: percentiles(_seconds(each.idle))[0])
    row("one client, p99", "", lambda each: percentiles(_seconds(each.idle))[1])
    return found


def _beside_others(folder: Path, measured: dict[int, Measured]) -> Table:
    found = table(
        "one commit of one intent, other ways; none is fsynced", "by", "intents", "ms a commit", "the writer is faster"
    )
    for size, each in measured.items():
        ours = each.alone.seconds / each.alone.commits
        work_tree = folder / f"work-tree-{size}"
        for name, seconds in _others(work_tree, size):
            found.add_row(name, f"{size:,}", f"{1000 * seconds:.0f}", f"{seconds / ours:,.0f} times")
    return found


def _others(folder: Path, size: int) -> Iterator[tuple[str, float]]:
    repository = git.Repo.init(folder)
    write(generate(size), folder)
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
    for words in (("add", "."), (*identity, "commit", "-qm", "Seed")):
        subprocess.run(["git", *words], cwd=folder, check=True)
    numbers = iter(range(1000))

    def by_gitpython() -> None:
        repository.index.add([_write(folder, next(numbers))])
        repository.index.commit("Run")

    def by_command() -> None:
        name = _write(folder, next(numbers))
        for words in (("add", name), (*identity, "commit", "-qm", "Run")):
            subprocess.run(["git", *words], cwd=folder, check=True)

    for name, commit in (("GitPython index.add + commit", by_gitpython), ("git add + git commit", by_command)):
        seconds, _ = timed(lambda commit=commit: [commit() for _ in range(PLAIN_COMMITS)])  # type: ignore[misc]
        yield name, seconds / PLAIN_COMMITS


def _write(folder: Path, number: int) -> str:
    path, body = _run("plain", number)
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(body)
    return path


def _request(name: str, numbers: Sequence[int]) -> WriteRequest:
    """Return a request for runs of one project."""
    runs = [_run(name, number, numbers[0]) for number in numbers]
    writes = tuple(Write(path, WriteAction.PUT, body, ABSENT) for path, body in runs)
    tenant = runs[0][0].split("/")[1]
    return WriteRequest(RequestId(uuid4()), tenant, "fraud", "Run", Principal(PERSON), writes, email=PERSON)


def _run(name: str, number: int, place: int | None = None) -> tuple[str, bytes]:
    """Return a run; `place` says in which of the projects that every size has."""
    at = number if place is None else place
    tenant, project = f"tenant-{at % TENANTS:03}", sorted(PROJECTS)[at // TENANTS % len(PROJECTS)]
    path = f"tenants/{tenant}/projects/{project}/runs/2026-11-23/{name}-{number:05}.yaml"
    return path, dump(Kind.RUN, {"template": "hello@1.0.0", "parameters": {"echo": f"run {number}"}})


def _seconds(answers: Answers) -> Sequence[float]:
    return [each.seconds for each in answers.all]


def _own_cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
