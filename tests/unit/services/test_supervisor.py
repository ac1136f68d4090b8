"""The supervisor with small real processes: what it starts, restarts, reports and ends."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from reconciler.process_identity import ProcessIdentity, is_alive
from reconciler.services.layout import Layout
from reconciler.services.lock import AlreadyRunning, sole_supervisor, supervisor_of
from reconciler.services.part import Part
from reconciler.services.record import PartState, read_records, write_records
from reconciler.services.status import collect
from reconciler.services.supervisor import Notice, Supervisor
from reconciler.services.sweep import end_parts

BOUND_SECONDS = 20.0


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    made.create()
    return made


def part(layout: Layout, name: str, *after: str, script: str = "exec sleep 600") -> Part:
    """A process that is ready once it has made its file."""
    mark = layout.ready / name

    async def probe(identity: ProcessIdentity) -> bool:
        return mark.exists() and mark.read_text() == f"{identity.pid}\n"

    words = ("sh", "-c", f"echo $$ > {mark}; {script}")
    return Part(name, words, layout.root, layout.log(name), "", probe, after=after)


@asynccontextmanager
async def supervised(layout: Layout, *parts: Part) -> AsyncIterator[list[Notice]]:
    notices: list[Notice] = []
    supervisor = Supervisor(layout, parts, notices.append)
    stop = asyncio.Event()
    running = asyncio.create_task(supervisor.run(stop))
    try:
        yield notices
    finally:
        stop.set()
        await asyncio.wait_for(running, BOUND_SECONDS)


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + BOUND_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0.01)


def state(layout: Layout, name: str) -> PartState | None:
    record = read_records(layout).get(name)
    return record.state if record else None


def process(layout: Layout, name: str) -> ProcessIdentity:
    found = read_records(layout)[name].process
    assert found is not None
    return found


def test_parts_start_after_those_they_need_and_end_before_them(layout: Layout) -> None:
    async def scenario() -> list[str]:
        async with supervised(layout, part(layout, "api", "store"), part(layout, "store")) as notices:
            await until(lambda: state(layout, "api") is PartState.READY)
        return [f"{notice.part} {notice.state}" for notice in notices]

    assert asyncio.run(scenario()) == [
        *("store starting", "store ready", "api starting", "api ready"),
        *("api stopped", "store stopped"),
    ]


def test_a_killed_part_is_started_again_and_said_so(layout: Layout) -> None:
    async def scenario() -> list[Notice]:
        async with supervised(layout, part(layout, "api")) as notices:
            await until(lambda: state(layout, "api") is PartState.READY)
            first = process(layout, "api")
            os.kill(first.pid, signal.SIGKILL)
            await until(lambda: collect(layout).parts[0].restarts == 1 and state(layout, "api") is PartState.READY)
            assert process(layout, "api") != first
        return notices

    (told,) = [notice for notice in asyncio.run(scenario()) if notice.state is PartState.RESTARTING]
    assert told.text == "ended unasked (signal SIGKILL); starting it again in 0.2 s"


def test_the_last_words_of_a_part_that_cannot_start_are_shown(layout: Layout) -> None:
    broken = part(layout, "api", script="echo no such port >&2; exit 3")

    async def scenario() -> list[Notice]:
        async with supervised(layout, dataclasses.replace(broken, probe=never)) as notices:
            await until(lambda: any(notice.state is PartState.RESTARTING for notice in notices))
        return notices

    assert any("no such port" in notice.text for notice in asyncio.run(scenario()))


async def never(_: ProcessIdentity) -> bool:
    return False


def test_the_step_after_readiness_comes_before_those_who_wait(layout: Layout) -> None:
    done: list[str] = []

    async def migrate() -> None:
        done.append("migrated")
        if len(done) == 1:
            raise ConnectionError("not yet")

    store = dataclasses.replace(part(layout, "store"), once_ready=migrate)

    async def scenario() -> list[Notice]:
        async with supervised(layout, part(layout, "api", "store"), store) as notices:
            await until(lambda: state(layout, "api") is PartState.READY)
        return notices

    texts = [notice.text for notice in asyncio.run(scenario()) if notice.part == "store"]
    assert done == ["migrated", "migrated"]
    assert any("not yet" in text for text in texts)


def test_what_a_killed_supervisor_left_is_ended_by_the_next(layout: Layout) -> None:
    async def scenario() -> None:
        supervisor = Supervisor(layout, [part(layout, "api")], lambda _: None)
        killed = asyncio.create_task(supervisor._keep(supervisor._parts["api"]))
        await until(lambda: state(layout, "api") is PartState.READY)
        left = process(layout, "api")
        assert await end_parts(layout) == ["api"]
        assert not is_alive(left)
        killed.cancel()

    asyncio.run(scenario())


def test_a_process_started_but_not_yet_noted_is_found_by_its_marker(layout: Layout) -> None:
    async def scenario() -> None:
        supervisor = Supervisor(layout, [part(layout, "api")], lambda _: None)
        killed = asyncio.create_task(supervisor._keep(supervisor._parts["api"]))
        await until(lambda: state(layout, "api") is PartState.READY)
        left = process(layout, "api")
        records = read_records(layout)
        write_records(layout, {"api": dataclasses.replace(records["api"], process=None)})
        assert await end_parts(layout) == ["api"]
        assert not is_alive(left)
        killed.cancel()

    asyncio.run(scenario())


def test_only_one_supervisor_keeps_a_root(layout: Layout) -> None:
    assert supervisor_of(layout) is None
    with sole_supervisor(layout):
        holder = supervisor_of(layout)
        assert holder is not None
        assert holder.pid == os.getpid()
        with pytest.raises(AlreadyRunning, match="ordain down"), sole_supervisor(layout):
            pass
    assert supervisor_of(layout) is None


def test_status_shows_a_part_whose_process_is_gone_as_dead(layout: Layout) -> None:
    async def scenario() -> None:
        supervisor = Supervisor(layout, [part(layout, "api")], lambda _: None)
        killed = asyncio.create_task(supervisor._keep(supervisor._parts["api"]))
        await until(lambda: state(layout, "api") is PartState.READY)
        assert collect(layout).parts[0].memory > 0
        killed.cancel()
        os.kill(process(layout, "api").pid, signal.SIGKILL)
        await until(lambda: collect(layout).parts[0].health == "dead")

    asyncio.run(scenario())
    assert not collect(layout).up
