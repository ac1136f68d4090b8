"""Lists and histories of intents as the API reads them, in memory and on real Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import pytest

from intents.identity import identify
from intents.names import PLATFORM_TENANT
from reconciler.planning.events import committed_fact
from reconciler.ports.reads import IntentFilter, IntentRow, Listing, VersionRow
from reconciler.ports.requests import Closing, Projected, WriterQueue
from reconciler.services.settings import PostgresRole
from reconciler.stores.fake_requests import MemoryIntents, MemoryQueue
from reconciler.stores.ledger.reads import LedgerReads
from reconciler.stores.ledger.requests import LedgerQueue
from tests.support.ledgers import Ledger

pytestmark = pytest.mark.anyio

AT = datetime(2026, 11, 23, tzinfo=UTC)
FOLDER = "tenants/acme/projects"
RUNS = [f"{FOLDER}/fraud/runs/2026-11-23/run-{number}.yaml" for number in range(3)]
SCHEDULE, OTHER = f"{FOLDER}/fraud/schedules/nightly.yaml", f"{FOLDER}/fraud-2/schedules/nightly.yaml"
TENANT, THEIRS = "tenants/acme/tenant.yaml", "tenants/globex/tenant.yaml"
THEIR_RUN = "tenants/globex/projects/churn/runs/2026-11-23/run.yaml"
CLUSTER = "platform/clusters/local.yaml"
LABELS = {RUNS[1]: {"team": "risk", "tier": "a"}, RUNS[2]: {"team": "risk"}, CLUSTER: {"team": "risk"}}


class IntentReads(Protocol):
    async def intents(self, wanted: IntentFilter) -> Listing[IntentRow]: ...

    async def history(self, path: str, limit: int, before: int | None) -> Listing[VersionRow]: ...


@dataclass
class Place:
    queue: WriterQueue
    reads: Callable[[str], IntentReads]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def place(real: Ledger | None) -> AsyncIterator[Place]:
    if real is None:
        queue = MemoryQueue()
        yield Place(queue, lambda tenant: MemoryIntents(queue.requests, tenant))
        return
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(real.database())
        api = await stack.enter_async_context(real.database(PostgresRole.API))
        yield Place(LedgerQueue(worker), lambda tenant: LedgerReads(api, tenant))


def closing(number: int, *paths: str, blob: str | None = "b") -> Closing:
    commit = f"{number:040x}"
    known = [(who, path) for path in paths if (who := identify(path))]
    text = blob and blob * 40
    return Closing(
        commit=commit,
        at=AT,
        author="dev",
        request=None,
        paths=paths,
        projected=tuple(
            Projected(
                path, who.tenant or PLATFORM_TENANT, who.project, who.kind.value, who.name, text, LABELS.get(path, {})
            )
            for who, path in known
        ),
        facts=tuple(committed_fact(who, path, text, commit, f"request-{number}") for who, path in known),
    )


async def everything(place: Place) -> None:
    paths = (*RUNS, SCHEDULE, OTHER, TENANT, THEIRS, THEIR_RUN, CLUSTER)
    await place.queue.close([closing(1, *paths)], (), f"{1:040x}")


async def listed(place: Place, tenant: str = "acme", limit: int = 100, **more: object) -> list[str]:
    found = await place.reads(tenant).intents(IntentFilter(limit, **more))  # type: ignore[arg-type]
    return [row.path for row in found.items]


async def test_nothing_is_there_before_the_first_commit(place: Place) -> None:
    assert await place.reads("acme").intents(IntentFilter(10)) == Listing(None, [])


async def test_intents_come_by_path_with_the_commit_that_changed_them(place: Place) -> None:
    await everything(place)
    await place.queue.close([closing(2, SCHEDULE, blob="c")], (), f"{2:040x}")
    found = await place.reads("acme").intents(IntentFilter(100))
    assert found.commit == f"{2:040x}"
    assert [row.path for row in found.items] == sorted([*RUNS, SCHEDULE, OTHER, TENANT])
    (row,) = (row for row in found.items if row.path == SCHEDULE)
    assert row == IntentRow(SCHEDULE, "c" * 40, {}, f"{2:040x}", "dev", AT)


async def test_lists_are_filtered(place: Place) -> None:
    await everything(place)
    assert await listed(place, kind="Schedule") == [OTHER, SCHEDULE]
    assert await listed(place, below=f"{FOLDER}/fraud/") == [*RUNS, SCHEDULE]
    assert await listed(place, below=f"{FOLDER}/fraud/", kind="Schedule") == [SCHEDULE]
    assert await listed(place, kind="Run", name="run-1") == [RUNS[1]]
    assert await listed(place, name="nightly") == [OTHER, SCHEDULE]
    assert await listed(place, kind="Run", name="nightly") == []
    assert await listed(place, labels={"team": "risk"}) == RUNS[1:]
    assert await listed(place, labels={"team": "risk", "tier": "a"}, kind="Run") == [RUNS[1]]
    assert await listed(place, labels={"team": "risk"}, kind="Schedule") == []


async def test_pages_go_on_after_a_path(place: Place) -> None:
    await everything(place)
    whole = await listed(place)
    assert await listed(place, limit=2) == whole[:2]
    assert await listed(place, limit=2, after=whole[1]) == whole[2:4]
    assert await listed(place, after=RUNS[0], below=f"{FOLDER}/fraud/") == [*RUNS[1:], SCHEDULE]
    assert await listed(place, after=f"{FOLDER}/zzz", below=f"{FOLDER}/fraud/") == []


async def test_the_platform_sees_its_own_and_who_its_tenants_are(place: Place) -> None:
    await everything(place)
    assert await listed(place, PLATFORM_TENANT) == [CLUSTER, TENANT, THEIRS]
    assert await listed(place, PLATFORM_TENANT, kind="Tenant") == [TENANT, THEIRS]
    assert await listed(place, PLATFORM_TENANT, kind="Run") == []
    assert await listed(place, PLATFORM_TENANT, kind="Cluster", name="local") == [CLUSTER]
    assert await listed(place, PLATFORM_TENANT, name="globex") == [THEIRS]
    assert await listed(place, PLATFORM_TENANT, labels={"team": "risk"}) == [CLUSTER]
    assert await listed(place, "globex") == [THEIR_RUN, THEIRS]


async def test_a_history_is_newest_first_and_survives_removal(place: Place) -> None:
    await everything(place)
    await place.queue.close([closing(2, SCHEDULE, blob="c"), closing(3, SCHEDULE, blob=None)], (), f"{3:040x}")
    reads = place.reads("acme")
    found = await reads.history(SCHEDULE, 2, None)
    assert found.commit == f"{3:040x}"
    assert [(row.commit, row.blob, row.request) for row in found.items] == [
        (f"{3:040x}", None, "request-3"),
        (f"{2:040x}", "c" * 40, "request-2"),
    ]
    (first,) = (await reads.history(SCHEDULE, 2, found.items[-1].sequence)).items
    assert first.commit == f"{1:040x}"
    assert (await reads.history(RUNS[0].replace("run-0", "none"), 2, None)).items == []
    assert (await reads.history(THEIR_RUN, 2, None)).items == [], "another tenant's"
    assert len((await place.reads(PLATFORM_TENANT).history(CLUSTER, 2, None)).items) == 1
