"""The ports of changes, in memory and on real Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import psycopg.errors
import pytest

from intents.authority import Principal
from reconciler.planning.changes import Approval, Change, ChangeId, ChangeState, ChangeVerb, Deed, OfChange
from reconciler.planning.plan.digest import PlanDigest
from reconciler.ports.changes import (
    ChangeFilter,
    ChangeRecord,
    Changes,
    ChangeStep,
    Merged,
    ReviewedChanges,
    WriterChanges,
)
from reconciler.ports.errors import Conflict
from reconciler.ports.requests import RequestState, WriterQueue
from reconciler.services.settings import PostgresRole
from reconciler.stores.fake_changes import MemoryChanges
from reconciler.stores.fake_requests import MemoryQueue, MemoryRequests
from reconciler.stores.ledger.changes import LedgerChanges
from reconciler.stores.ledger.reads import LedgerReads
from reconciler.stores.ledger.requests import LedgerQueue
from tests.fixtures.write_requests import closing, request
from tests.support.ledgers import Ledger

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ANN, LEA = Principal("ann@acme.example"), Principal("lea@acme.example", frozenset({"acme-leads", "b"}))


@dataclass
class Ports:
    """The same changes as the writer, acme, globex and the platform see them."""

    queue: WriterQueue
    writer: WriterChanges
    reviewed: ReviewedChanges
    acme: Changes
    globex: Changes
    platform: Changes


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def ports(real: Ledger | None) -> AsyncIterator[Ports]:
    if real is None:
        kept = MemoryRequests()
        views = [MemoryChanges(kept.changes, kept.tell, tenant) for tenant in ("acme", "globex", "platform")]
        yield Ports(MemoryQueue(kept), MemoryQueue(kept).changes, MemoryQueue(kept).changes, *views)
        return
    async with real.database() as workers, real.database(PostgresRole.API) as api:
        seen = [LedgerChanges(api, tenant) for tenant in ("acme", "globex", "platform")]
        yield Ports(LedgerQueue(workers), LedgerChanges(workers), LedgerChanges(workers), *seen)


def change(number: int = 0, tenant: str = "acme", **more: object) -> Change:
    made = Change(
        id=ChangeId(f"{number:010d}"),
        tenant=tenant,
        project="fraud",
        author=Principal("dev@acme.example", frozenset({"devs", "all"})),
        email="dev@acme.example",
        subject="Deploy blue",
        base="b" * 40,
        head="c" * 40,
        paths=("tenants/acme/projects/fraud/deployments/blue.yaml",),
        opened_at=NOON + timedelta(minutes=number),
        updated_at=NOON + timedelta(minutes=number),
        merge_when_approved=True,
    )
    return replace(made, **more)  # type: ignore[arg-type]


async def step(ports: Ports, changed: Change, verb: ChangeVerb = ChangeVerb.OPENED) -> None:
    await ports.queue.close((), (), None, [ChangeStep(changed, verb, None)])


def approval(who: Principal, digest: str = "d", minutes: int = 0) -> Approval:
    return Approval(change().id, who, PlanDigest(digest * 64), "c" * 40, NOON + timedelta(minutes=minutes))


async def test_a_change_comes_back_whole(ports: Ports) -> None:
    assert await ports.acme.record(change().id) is None
    await step(ports, change())
    assert await ports.acme.record(change().id) == ChangeRecord(change())
    assert await ports.writer.known([change().id, ChangeId("none")]) == {change().id: ChangeRecord(change())}
    assert await ports.writer.known([]) == {}


async def test_a_request_that_became_a_change_is_answered_by_it(ports: Ports) -> None:
    asked = request()
    await ports.queue.put(asked)
    await ports.queue.close((), (), None, [ChangeStep(change(), ChangeVerb.OPENED, asked.id)])
    status = await ports.queue.status(asked.id)
    assert status is not None
    assert (status.state, status.change) == (RequestState.PROPOSED, change().id)
    assert (status.commit, status.paths) == (change().head, change().paths)
    assert list(await ports.queue.waiting(10)) == []


async def test_a_request_about_a_change_comes_back_whole(ports: Ports) -> None:
    asked = [
        request(of_change=OfChange(change().id, deed, "c" * 40), merge_when_approved=deed is Deed.UPDATE)
        for deed in Deed
    ]
    for each in asked:
        await ports.queue.put(each)
    assert list(await ports.queue.waiting(10)) == asked
    status = await ports.queue.status(asked[0].id)
    assert status is not None
    assert status.change == change().id


async def test_closing_a_change_answers_its_request(ports: Ports) -> None:
    await step(ports, change())
    asked = request(of_change=OfChange(change().id, Deed.CLOSE))
    await ports.queue.put(asked)
    closed = change(state=ChangeState.CLOSED, ended_by="ann@acme.example", updated_at=NOON + timedelta(hours=1))
    await ports.queue.close((), (), None, [ChangeStep(closed, ChangeVerb.CLOSED, asked.id)])
    status = await ports.queue.status(asked.id)
    assert status is not None
    assert (status.state, status.change) == (RequestState.CLOSED, change().id)
    assert await ports.acme.record(change().id) == ChangeRecord(closed)


async def test_the_commit_that_merges_a_change_ends_it(ports: Ports) -> None:
    await step(ports, change())
    await ports.acme.approve(approval(ANN))
    asked = request(of_change=OfChange(change().id, Deed.MERGE))
    await ports.queue.put(asked)
    merging = replace(closing(asked, "1" * 40), merged=Merged(change().id, "ann@acme.example"))
    for _ in range(2):
        await ports.queue.close([merging], (), "1" * 40)
    status = await ports.queue.status(asked.id)
    assert status is not None
    assert (status.state, status.commit, status.change) == (RequestState.COMMITTED, "1" * 40, change().id)
    merged = change(state=ChangeState.MERGED, commit="1" * 40, ended_by=ANN.user, updated_at=merging.at)
    assert await ports.acme.record(change().id) == ChangeRecord(merged, (approval(ANN),))


@pytest.mark.parametrize("late", ["step", "merge", "approve"])
async def test_what_ended_stays_as_it_ended(ports: Ports, late: str) -> None:
    closed = change(state=ChangeState.CLOSED, ended_by="ann@acme.example")
    await step(ports, change())
    await step(ports, closed, ChangeVerb.CLOSED)
    match late:
        case "step":
            await step(ports, change(head="f" * 40), ChangeVerb.UPDATED)
        case "merge":
            merging = replace(closing(None, "1" * 40), merged=Merged(change().id, "dev@acme.example"))
            await ports.queue.close([merging], (), "1" * 40)
        case _:
            with pytest.raises(Conflict):
                await ports.acme.approve(approval(ANN))
    assert await ports.acme.record(change().id) == ChangeRecord(closed)


async def test_an_update_keeps_what_was_said(ports: Ports) -> None:
    await step(ports, change())
    await ports.acme.approve(approval(ANN))
    updated = change(head="f" * 40, base="e" * 40, paths=("a", "b"), updated_at=NOON + timedelta(hours=1))
    await step(ports, updated, ChangeVerb.UPDATED)
    assert await ports.acme.record(change().id) == ChangeRecord(updated, (approval(ANN),))


async def test_one_person_has_one_word_and_the_last_counts(ports: Ports) -> None:
    await step(ports, change())
    for each in (approval(ANN), approval(LEA, minutes=1), approval(ANN, "e", minutes=2)):
        await ports.acme.approve(each)
    found = await ports.acme.record(change().id)
    assert found is not None
    assert found.approvals == (approval(LEA, minutes=1), approval(ANN, "e", minutes=2))


async def test_a_word_is_taken_back_and_given_again(ports: Ports) -> None:
    await step(ports, change())
    await ports.reviewed.approve(approval(ANN))
    await ports.reviewed.approve(approval(LEA))
    for who in (ANN, ANN, Principal("nobody")):
        await ports.reviewed.withdraw(change().id, who.user)
    found = await ports.acme.record(change().id)
    assert found is not None
    assert found.approvals == (approval(LEA),)
    await ports.reviewed.approve(approval(ANN, minutes=1))
    found = await ports.acme.record(change().id)
    assert found is not None
    assert found.approvals == (approval(LEA), approval(ANN, minutes=1))


async def test_what_an_ended_change_was_approved_by_stays(ports: Ports) -> None:
    await step(ports, change())
    await ports.reviewed.approve(approval(ANN))
    await step(ports, change(state=ChangeState.CLOSED), ChangeVerb.CLOSED)
    await ports.reviewed.withdraw(change().id, ANN.user)
    found = await ports.acme.record(change().id)
    assert found is not None
    assert found.approvals == (approval(ANN),)


async def test_an_unknown_change_is_not_approved(ports: Ports) -> None:
    with pytest.raises(Conflict):
        await ports.acme.approve(approval(ANN))


async def test_tenants_see_and_approve_their_own(ports: Ports) -> None:
    for number, tenant in enumerate(("acme", "globex", "platform")):
        await step(ports, change(number, tenant))
    views = {"acme": ports.acme, "globex": ports.globex, "platform": ports.platform}
    for number, (tenant, view) in enumerate(views.items()):
        assert [each.change.tenant for each in await view.records(ChangeFilter(10))] == [tenant]
        assert await view.open_count() == 1
        for other in range(3):
            found = await view.record(change(other).id)
            assert (found is not None) == (other == number)
    with pytest.raises(Conflict):
        await ports.globex.approve(approval(ANN))


async def test_lists_are_newest_first_page_by_page_and_filtered(ports: Ports) -> None:
    changes = [change(number) for number in range(5)]
    changes[1] = replace(changes[1], project="other")
    changes[2] = replace(changes[2], author=Principal("don@acme.example"))
    changes[3] = replace(changes[3], state=ChangeState.CLOSED)
    changes[4] = replace(changes[4], opened_at=changes[3].opened_at)
    for each in changes:
        await step(ports, each)
    await ports.acme.approve(approval(ANN))
    newest_first = [changes[number] for number in (4, 3, 2, 1, 0)]

    async def listed(**wanted: object) -> list[Change]:
        return [each.change for each in await ports.acme.records(ChangeFilter(**{"limit": 9} | wanted))]  # type: ignore[arg-type]

    assert await listed() == newest_first
    assert await listed(limit=2) == newest_first[:2]
    assert await listed(limit=2, before=(newest_first[1].opened_at, newest_first[1].id)) == newest_first[2:4]
    assert await listed(state=ChangeState.OPEN) == [each for each in newest_first if each != changes[3]]
    assert await listed(project="other") == [changes[1]]
    assert await listed(author="don@acme.example") == [changes[2]]
    assert await listed(author="don@acme.example", state=ChangeState.CLOSED) == []
    oldest = (await ports.acme.records(ChangeFilter(9)))[-1]
    assert oldest.approvals == (approval(ANN),)


async def test_open_changes_are_counted_by_tenant(ports: Ports) -> None:
    for number, tenant in enumerate(("acme", "acme", "globex")):
        await step(ports, change(number, tenant))
    await step(ports, change(3, state=ChangeState.CLOSED))
    counts = await ports.writer.open_counts(["acme", "globex", "platform"])
    assert (counts.get("acme", 0), counts.get("globex", 0), counts.get("platform", 0)) == (2, 1, 0)
    assert await ports.acme.open_count() == 2


@pytest.mark.parts
async def test_each_thing_that_happens_is_told_once(ledger: Ledger) -> None:
    async with ledger.database() as workers, ledger.database(PostgresRole.API) as api:
        seen = [LedgerChanges(api, "acme") for _ in range(3)]
        ports = Ports(LedgerQueue(workers), LedgerChanges(workers), LedgerChanges(workers), *seen)
        for _ in range(2):
            await step(ports, change())
            await ports.acme.approve(approval(ANN))
        merging = replace(closing(None, "1" * 40), merged=Merged(change().id, "dev@acme.example"), facts=())
        for _ in range(2):
            await ports.queue.close([merging], (), "1" * 40)
        events = await LedgerReads(api, "acme").newest_events(10)
        told = [(each.fact.verb, each.fact.data["by"], each.fact.name) for each in reversed(events)]
        by = "dev@acme.example"
        assert told == [
            (verb, who, change().id) for verb, who in (("opened", by), ("approved", ANN.user), ("merged", by))
        ]


@pytest.mark.parts
def test_the_apis_role_can_neither_open_nor_end_a_change(ledger: Ledger) -> None:
    statements = (
        "UPDATE changes SET state = 'merged'",
        "DELETE FROM approvals",
        "INSERT INTO changes SELECT * FROM changes",
    )
    with ledger.connect(PostgresRole.API) as connection:
        connection.execute("SELECT set_config('ordain.tenant', 'acme', false)")
        for statement in statements:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
