"""`ordain demo`: the whole line as a tenant walks it, over HTTP alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape

from api.cli.client import ApiProblem, Client
from api.cli.demo_serving import Trickle, check_answers, deploy, roll_back, settled_on, version_name
from api.cli.demo_steps import Demo, DemoFailure
from api.cli.demo_timeline import Answer, timeline_table
from api.cli.demo_training import Trained, follow, start_training

TENANT, OTHER_TENANT = "acme", "globex"
FIRST = {"rounds": 60, "max_depth": 3}
SECOND = {"rounds": 90, "max_depth": 2, "learning_rate": 0.2}
"""Another model of the same data: the seed decides which rows are held out, and both have the default one."""


@dataclass(frozen=True)
class Served:
    """A trained model, the version name it is served by, and its first answer."""

    trained: Trained
    version: str
    answer: Answer


async def run_demo(base_url: str, base_domain: str, console: Console) -> int:
    """Walk the line on the platform whose edge is at `base_url`; return the exit code."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(Client(base_url, f"{TENANT}.{base_domain}"))
        other = await stack.enter_async_context(Client(base_url, f"{OTHER_TENANT}.{base_domain}"))
        demo = Demo(client, console)
        try:
            await _walk(demo, other)
        except DemoFailure as failure:
            console.print(f"\n[bold red]failed[/] {escape(failure.what)}")
            console.print(f"look at {escape(failure.where)}", soft_wrap=True)
            return 1
        except ApiProblem as problem:
            console.print(f"\n[bold red]failed[/] {escape(str(problem))}", soft_wrap=True)
            console.print("look at .ordain/logs/api.log and .ordain/logs/envoy.log")
            return 1
    return 0


async def _walk(demo: Demo, other: Client) -> None:
    """Train two versions at once, serve the first, replace it by the second under load, and go back."""
    began = time.monotonic()
    demo.step("train two versions at once")
    first_run = await start_training(demo, "first", FIRST)
    second_run = await start_training(demo, "second", SECOND)
    second_training = asyncio.create_task(follow(demo, "second", second_run))
    try:
        first = await _serve_first(demo, await follow(demo, "first", first_run))
        second = await _replace_under_load(demo, first, await second_training)
        await _go_back(demo, first, second)
        await _check_isolation(demo, other, first.trained)
    finally:
        second_training.cancel()
    await _show_timeline(demo, first, time.monotonic() - began)


async def _serve_first(demo: Demo, trained: Trained) -> Served:
    demo.step(f"deploy {trained.model} and ask it")
    version = await version_name(demo.client, trained.model)
    commit = await deploy(demo, trained.model, version)
    await settled_on(demo, version)
    answer = Answer(version, commit, *await check_answers(demo, trained, version))
    return Served(trained, version, answer)


async def _replace_under_load(demo: Demo, first: Served, trained: Trained) -> Served:
    demo.step(f"replace it by {trained.model} while requests come in")
    version = await version_name(demo.client, trained.model)
    known = (first.trained, first.version), (trained, version)

    async def replace() -> str:
        commit = await deploy(demo, trained.model, version)
        await settled_on(demo, version)
        return commit

    commit = await _under_load(demo, known, replace)
    answer = Answer(version, commit, *await check_answers(demo, trained, version))
    return Served(trained, version, answer)


async def _go_back(demo: Demo, first: Served, second: Served) -> None:
    demo.step(f"roll back to {first.version}, and hold there")
    known = (first.trained, first.version), (second.trained, second.version)

    async def back() -> str:
        commit = await roll_back(demo, "the demo goes back to what it knows")
        await settled_on(demo, first.version, held=True)
        return commit

    await _under_load(demo, known, back)
    await check_answers(demo, first.trained, first.version)


async def _under_load(demo: Demo, known: Sequence[tuple[Trained, str]], change: Callable[[], Awaitable[str]]) -> str:
    """Make a change while inferences come in at a steady pace; none of them may fail or answer wrongly."""
    predictions = {version: trained.predictions for trained, version in known}
    async with Trickle(demo, known[0][0].rows, predictions) as trickle:
        commit = await change()
    trickle.report()
    return commit


async def _check_isolation(demo: Demo, other: Client, trained: Trained) -> None:
    demo.step(f"ask for {TENANT}'s run as {OTHER_TENANT}")
    try:
        await other.get(f"/api/v1/runs/{trained.name}")
    except ApiProblem as problem:
        if problem.status != 404:  # noqa: PLR2004 - HTTP's own number
            raise
        demo.say(f"{other.host} answers 404: it has no run {trained.name}")
        return
    raise DemoFailure(f"{OTHER_TENANT} can see {TENANT}'s run {trained.name}", ".ordain/logs/api.log")


async def _show_timeline(demo: Demo, first: Served, seconds: float) -> None:
    events = (await demo.client.get("/api/v1/timeline", limit=500))["items"]
    table = timeline_table(events, first.trained, first.answer)
    demo.console.print(f"\nfrom commit to traffic: {first.trained.model} as {first.version} (all in {seconds:.0f} s)")
    demo.console.print(table)
