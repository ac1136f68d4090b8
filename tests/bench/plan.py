"""What a plan costs among many intents: the command from a cold start, and the API with the tree in its memory."""

from __future__ import annotations

import asyncio
import re
import statistics
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
from rich.table import Table

from intents.identity import identify
from intents.kinds import Kind
from intents.tree import PLATFORM_PATH
from reconciler.ports.repository import MAIN, NewCommit
from reconciler.stores.git.repository import GitRepository
from tests.bench.repository import Files, generate
from tests.bench.tables import Cold, cold, ordain, table
from tests.fixtures.panel_world import World
from tests.support.repositories import NOON, PLATFORM

COLD, WARM = 3, 20
"""How often each is measured."""
TEMPLATE = "templates/train-classifier/1.9.0/"


def measure_plan(folder: Path, intents: int = 10_000) -> Table:
    """Return a table of plans among `intents` intents, which are written below `folder`."""
    files = generate(intents)
    repository = _committed(folder / "state.git", files)
    work = folder / "work"
    subprocess.run(["git", "clone", "--quiet", str(repository.path), str(work)], check=True)
    found = table(
        f"plan among {intents:,} intents, cold processes", "", "at most", "fastest", "median", "CPU", "memory"
    )
    one, bump, many = _scaled(files, 1), _bumped(files), _scaled(files, 1_000)
    domain = {PLATFORM_PATH: files[PLATFORM_PATH].replace(b"ml.example.com", b"ml.example.org")}
    found.add_row("one deployment", "1.5 s", *_cold(work, one).cells)
    found.add_row(f"template bump of {len(bump) - 1:,} schedules", "2 s", *_cold(work, bump).cells)
    found.add_row(f"replicas of {len(many):,} deployments", "", *_cold(work, many).cells)
    found.add_row("another base domain: every unit", "", *_cold(work, domain).cells)
    seconds = _warm(repository, files)
    warm = (f"{1000 * each:.0f} ms" for each in (min(seconds), statistics.median(seconds)))
    found.add_row("one deployment, warm in the API", "50 ms", *warm, "", "")
    return found


def _committed(path: Path, files: Files) -> GitRepository:
    repository = GitRepository.create(path)
    (made,) = repository.append("bench", None, [NewCommit(PLATFORM, PLATFORM, NOON, "All\n", dict(files))])
    repository.move(MAIN, None, made)
    return repository


def _of_kind(files: Files, kind: Kind) -> list[str]:
    return [path for path in files if (who := identify(path)) and who.kind is kind]


def _scaled(files: Files, count: int, replicas: int = 9) -> Files:
    """Return deployments with another number of replicas."""
    paths = _of_kind(files, Kind.MODEL_DEPLOYMENT)[:count]
    return {path: re.sub(rb"max: \d+", b"max: %d" % replicas, files[path]) for path in paths}


def _bumped(files: Files) -> Files:
    """Return a new version of a template, and every schedule moved to it."""
    template = {f"{TEMPLATE.replace('1.9.0', '2.0.0')}template.yaml": files[f"{TEMPLATE}template.yaml"]}
    run = rb"run:\n    template: .*(?:\n    .*)*"
    asked = b"run:\n    template: train-classifier@2.0.0\n"
    return template | {path: re.sub(run, asked, files[path]) for path in _of_kind(files, Kind.SCHEDULE)}


def _cold(work: Path, change: Mapping[str, bytes]) -> Cold:
    """Measure `ordain plan` on a work tree with a change in it; a change with problems ends with 1."""
    for path, body in change.items():
        file = work / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    measured = cold(ordain("plan", work), COLD, ends=(0, 1))
    for words in (("checkout", "--quiet", "."), ("clean", "--quiet", "-d", "--force")):
        subprocess.run(["git", *words], cwd=work, check=True)
    return measured


def _warm(repository: GitRepository, files: Files) -> list[float]:
    """Return the seconds of requests to a process that has the tree in memory, each for another change."""
    return asyncio.run(_requests(World(repository, {}), files))


async def _requests(world: World, files: Files) -> list[float]:
    transport = httpx.ASGITransport(world.app())
    headers = {"X-Forwarded-User": "ana@example.com", "X-Tenant-Id": "tenant-000"}
    seconds = []
    async with httpx.AsyncClient(
        transport=transport, base_url="http://tenant-000.ml.example.com", headers=headers
    ) as api:
        for number in range(WARM + 1):
            ((path, body),) = _scaled(files, 1, replicas=2 + number).items()
            began = time.perf_counter()
            answer = await api.post("/api/v1/plan", json={"writes": [{"path": path, "content": body.decode()}]})
            seconds.append(time.perf_counter() - began)
            answer.raise_for_status()
    return seconds[1:]  # the first one loads the tree
