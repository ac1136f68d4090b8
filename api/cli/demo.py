"""`ordain demo`: the whole line as a tenant walks it, over HTTP alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape

from api.cli.demo_serving import Trickle, check_answers, deploy, roll_back, settled_on, version_name
from api.cli.demo_steps import Demo, DemoFailure
from api.cli.demo_timeline import Answer, timeline_table
from api.cli.demo_training import Trained, follow, start_training
from api.client import Address, Client, ClientError, NotFound

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


def run_demo(port: int, base_domain: str, console: Console) -> int:
    """Walk the line on the platform whose edge is at that port of this machine; return the exit code."""
    hosts = (Address.here(port, f"{tenant}.{base_domain}") for tenant in (TENANT, OTHER_TENANT))
    with ExitStack() as stack:
        client, other = (stack.enter_context(Client(host)) for host in hosts)
        try:
            _walk(Demo(client, console), other)
        except DemoFailure as failure:
            console.print(f"\n[bold red]failed[/] {escape(failure.what)}")
            console.print(f"look at {escape(failure.where)}", soft_wrap=True)
            return 1
        except ClientError as problem:
            console.print(f"\n[bold red]failed[/] {escape(str(problem))}", soft_wrap=True)
            console.print("look at .ordain/logs/api.log and .ordain/logs/envoy.log")
            return 1
    return 0


def _walk(demo: Demo, other: Client) -> None:
    """Train two versions at once, serve the first, replace it by the second under load, and go back."""
    began = time.monotonic()
    demo.step("train two versions at once")
    first_run = start_training(demo, "first", FIRST)
    second_run = start_training(demo, "second", SECOND)
    with ThreadPoolExecutor(1) as beside:
        second_training = beside.submit(follow, demo, "second", second_run)
        try:
            first = _serve_first(demo, follow(demo, "first", first_run))
            second = _replace_under_load(demo, first, second_training.result())
            _go_back(demo, first, second)
            _check_isolation(demo, other, first.trained)
        finally:
            demo.over.set()
    _show_timeline(demo, first, time.monotonic() - began)


def _serve_first(demo: Demo, trained: Trained) -> Served:
    demo.step(f"deploy {trained.model} and ask it")
    version = version_name(demo.client, trained.model)
    commit = deploy(demo, trained.model, version)
    settled_on(demo, version)
    answer = Answer(version, commit, *check_answers(demo, trained, version))
    return Served(trained, version, answer)


def _replace_under_load(demo: Demo, first: Served, trained: Trained) -> Served:
    demo.step(f"replace it by {trained.model} while requests come in")
    version = version_name(demo.client, trained.model)
    known = (first.trained, first.version), (trained, version)

    def replace() -> str:
        commit = deploy(demo, trained.model, version)
        settled_on(demo, version)
        return commit

    commit = _under_load(demo, known, replace)
    answer = Answer(version, commit, *check_answers(demo, trained, version))
    return Served(trained, version, answer)


def _go_back(demo: Demo, first: Served, second: Served) -> None:
    demo.step(f"roll back to {first.version}, and hold there")
    known = (first.trained, first.version), (second.trained, second.version)

    def back() -> str:
        commit = roll_back(demo, "the demo goes back to what it knows")
        settled_on(demo, first.version, held=True)
        return commit

    _under_load(demo, known, back)
    check_answers(demo, first.trained, first.version)


def _under_load(demo: Demo, known: Sequence[tuple[Trained, str]], change: Callable[[], str]) -> str:
    """Make a change while inferences come in at a steady pace; none of them may fail or answer wrongly."""
    predictions = {version: trained.predictions for trained, version in known}
    with Trickle(demo, known[0][0].rows, predictions) as trickle:
        commit = change()
    trickle.report()
    return commit


def _check_isolation(demo: Demo, other: Client, trained: Trained) -> None:
    demo.step(f"ask for {TENANT}'s run as {OTHER_TENANT}")
    try:
        other.runs.get(trained.name)
    except NotFound:
        demo.say(f"{other.address.host} answers 404: it has no run {trained.name}")
        return
    raise DemoFailure(f"{OTHER_TENANT} can see {TENANT}'s run {trained.name}", ".ordain/logs/api.log")


def _show_timeline(demo: Demo, first: Served, seconds: float) -> None:
    table = timeline_table(demo.client.events(500), first.trained, first.answer)
    demo.console.print(f"\nfrom commit to traffic: {first.trained.model} as {first.version} (all in {seconds:.0f} s)")
    demo.console.print(table)
