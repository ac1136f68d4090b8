"""The RunLedger port on real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

import pytest

from intents.authority import Principal
from intents.checks import Facts
from intents.problems import Problem
from reconciler.planning.events import Fact
from reconciler.planning.facts import LedgerQuestions
from reconciler.planning.observations import (
    Delivery,
    EngineRunId,
    EngineState,
    OutputArtifact,
    RunObservation,
    TaskObservation,
)
from reconciler.planning.runs import RegistrationState, RunRow, RunState, RunUid
from reconciler.planning.writing import Refused, RequestId, WriteRequest
from reconciler.ports.errors import Conflict
from reconciler.ports.reads import Page
from reconciler.ports.requests import Closing
from reconciler.ports.run_ledger import Step
from reconciler.services.settings import PostgresRole
from reconciler.stores.ledger.database import Database
from reconciler.stores.ledger.events import LedgerOutbox
from reconciler.stores.ledger.reads import LedgerReads
from reconciler.stores.ledger.requests import LedgerQueue
from reconciler.stores.ledger.runs import LedgerRuns
from tests.support.ledgers import Ledger

pytestmark = [pytest.mark.anyio, pytest.mark.parts]

SEEN_AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def database(ledger: Ledger) -> AsyncIterator[Database]:
    async with ledger.database() as opened:
        yield opened


@pytest.fixture
def runs(database: Database) -> LedgerRuns:
    return LedgerRuns(database)


def run(name: str = "first", attempt: int = 1, **more: object) -> RunRow:
    path = f"tenants/acme/projects/fraud/runs/2026-11-23/{name}.yaml"
    made = RunRow(
        uid=RunUid(uuid5(NAMESPACE_URL, path)),
        attempt=attempt,
        tenant="acme",
        project="fraud",
        name=name,
        path=path,
        commit="c" * 40,
        template="train@1.0.0",
        parameters={"rounds": 100, "nested": {"ü": [1.5, None, True]}},
        register_model="fraud",
        register_output="",
        cancelled=False,
        state=RunState.CREATED,
        fence=0,
    )
    return replace(made, **more)  # type: ignore[arg-type]


async def leased(runs: LedgerRuns) -> RunRow | None:
    """Lease what is due, and give it back."""
    async with runs.lease_due() as found:
        return found


async def lease_all(runs: LedgerRuns) -> list[RunRow]:
    """Lease until nothing is due, keeping every lease."""
    found = []
    async with runs.lease_due() as one:
        if one is not None:
            found = [one, *await lease_all(runs)]
    return found


async def verbs(database: Database) -> list[str]:
    return [event.fact.verb for event in await LedgerOutbox(database).unpublished(100)]


async def make_due(ledger: Ledger) -> None:
    """Let time pass: nothing is leased, everything is due."""
    with ledger.connect() as connection:
        connection.execute("UPDATE runs SET due_at = now() - interval '1 s', lease_until = 'epoch'")


async def test_a_run_is_admitted_once_however_often_its_commit_is_walked(runs: LedgerRuns, database: Database) -> None:
    assert await runs.cursor() is None
    for _ in range(3):
        await runs.admit("1" * 40, [run()], [])
    assert await runs.cursor() == "1" * 40
    assert await verbs(database) == ["created"]
    found = await leased(runs)
    assert found == run(fence=1)


async def test_an_attempt_is_a_run_of_its_own(runs: LedgerRuns, database: Database) -> None:
    await runs.admit("1" * 40, [run()], [])
    await runs.admit("2" * 40, [run(attempt=2)], [])
    assert await verbs(database) == ["created", "created"]
    assert {each.attempt for each in await lease_all(runs)} == {1, 2}
    assert run().run_id != run(attempt=2).run_id


async def test_a_cancelled_or_removed_run_is_marked_and_due_at_once(runs: LedgerRuns, ledger: Ledger) -> None:
    await runs.admit("1" * 40, [run("edited"), run("removed"), run("kept"), run("born", cancelled=True)], [])
    with ledger.connect() as connection:
        connection.execute("UPDATE runs SET due_at = now() + interval '1 hour' WHERE name IN ('edited', 'removed')")
    await runs.admit("2" * 40, [run("edited", cancelled=True)], [run("removed").path])
    found = {each.name: each.cancelled for each in await lease_all(runs)}
    assert found == {"edited": True, "removed": True, "kept": False, "born": True}


async def test_a_finished_run_stays_as_it_is(runs: LedgerRuns) -> None:
    await runs.admit("1" * 40, [run()], [])
    async with runs.lease_due() as found:
        assert found is not None
        await runs.record(found, Step(RunState.SUCCEEDED, 0))
    await runs.admit("2" * 40, [run(cancelled=True)], [run().path])
    assert await leased(runs) is None


async def test_the_engines_runs_that_have_ended_are_known_by_their_ids(runs: LedgerRuns) -> None:
    await runs.admit("1" * 40, [run("ended"), run("under-way")], [])
    async with runs.lease_due() as found:
        assert found is not None
        await runs.record(found, Step(RunState.FAILED, 0))
    others = [each.run_id for each in (run("ended"), run("under-way")) if each.run_id != found.run_id]
    assert await runs.finished([found.run_id, *others, EngineRunId("unknown")]) == [found.run_id]
    assert await runs.finished([]) == []


async def test_a_leased_run_is_nobody_elses(runs: LedgerRuns) -> None:
    await runs.admit("1" * 40, [run("a"), run("b")], [])
    async with runs.lease_due() as one, runs.lease_due() as two, runs.lease_due() as three:
        assert one is not None
        assert two is not None
        assert {one.name, two.name} == {"a", "b"}
        assert three is None


async def test_an_old_fence_records_nothing(runs: LedgerRuns, ledger: Ledger, database: Database) -> None:
    await runs.admit("1" * 40, [run()], [])
    async with runs.lease_due() as slow:
        assert slow is not None
        await make_due(ledger)  # it took longer than its lease
        async with runs.lease_due() as quick:
            assert quick is not None
            assert quick.fence > slow.fence
            assert not await runs.claim(slow, 10)
            fact = Fact("acme", "fraud", "run", "failed", "first")
            with pytest.raises(Conflict):
                await runs.record(slow, Step(RunState.FAILED, 0, facts=(fact,)))
            assert await runs.claim(quick, 10)
    assert await verbs(database) == ["created"]
    await make_due(ledger)
    found = await leased(runs)
    assert found is not None
    assert found.state is RunState.SUBMITTING


async def test_giving_back_an_old_lease_leaves_the_new_one(runs: LedgerRuns, ledger: Ledger) -> None:
    await runs.admit("1" * 40, [run()], [])
    async with runs.lease_due() as slow:
        assert slow is not None
        await make_due(ledger)
        quick = runs.lease_due()
        assert await quick.__aenter__() is not None
    with ledger.connect() as connection:
        assert connection.execute("SELECT lease_until > now() FROM runs").fetchone() == (True,)
    await quick.__aexit__(None, None, None)


async def test_a_run_that_fails_its_orchestrator_comes_back_later_and_later(runs: LedgerRuns, ledger: Ledger) -> None:
    await runs.admit("1" * 40, [run("bad")], [])
    pauses = []
    for _ in range(8):
        assert await leased(runs) is not None
        with ledger.connect() as connection:
            row = connection.execute("SELECT extract(epoch FROM due_at - now()) FROM runs").fetchone()
        assert row is not None
        pauses.append(float(str(row[0])))
        assert await leased(runs) is None, "it is not due: others have their turn"
        await make_due(ledger)
    assert pauses == sorted(pauses)
    assert pauses[0] < 1
    assert 10 < pauses[-1] <= 60
    async with runs.lease_due() as found:
        assert found is not None
        await runs.record(found, Step(RunState.CREATED, 0))
    assert await leased(runs) is not None, "a record says that it goes on"


async def test_why_a_run_gets_no_further_is_seen_until_it_does(runs: LedgerRuns, ledger: Ledger) -> None:
    async def reason() -> str:
        async with ledger.database(PostgresRole.API) as api:
            view = await LedgerReads(api, "acme").run("fraud", "first")
            assert view is not None
            return view.reason

    await runs.admit("1" * 40, [run()], [])
    async with runs.lease_due() as found:
        assert found is not None
        await runs.note(found, "no space left")
        assert await leased(runs) is None, "it is neither given back nor due by that"
    assert await reason() == "no space left"
    await make_due(ledger)
    async with runs.lease_due() as again:
        assert again is not None
        await runs.note(found, "somebody else's word by now")
        assert await reason() == "no space left"
        await runs.record(again, Step(RunState.RUNNING, 0))
    assert await reason() == ""


async def test_a_claimed_run_is_due_again_at_once(runs: LedgerRuns) -> None:
    await runs.admit("1" * 40, [run()], [])
    async with runs.lease_due() as found:
        assert found is not None
        assert await runs.claim(found, 1)
        assert not await runs.claim(found, 1), "it is claimed already"
    again = await leased(runs)
    assert again is not None
    assert again.state is RunState.SUBMITTING


async def test_claims_stay_within_the_projects_limit_however_many_try(runs: LedgerRuns, ledger: Ledger) -> None:
    names = [f"run-{number}" for number in range(8)]
    await runs.admit("1" * 40, [run(name) for name in names], [])
    other = [run(name, project="other", path=f"other/{name}") for name in names[:2]]
    elsewhere = [replace(each, uid=RunUid(uuid5(each.uid, "other"))) for each in other]
    await runs.admit("2" * 40, elsewhere, [])
    found = await lease_all(runs)
    with ledger.connect() as connection:  # the leases are still these orchestrators'
        connection.execute("UPDATE runs SET lease_until = now() + interval '1 min'")
    done = await asyncio.gather(*(runs.claim(each, 3) for each in found))
    assert sum(done) == 5
    assert sum(ok for each, ok in zip(found, done, strict=True) if each.project == "fraud") == 3


async def test_what_is_recorded_is_what_people_and_successors_see(
    runs: LedgerRuns, database: Database, ledger: Ledger
) -> None:
    await runs.admit("1" * 40, [run()], [])
    outputs = (OutputArtifact("train", "model", "s3://artifacts/x/", "system.Model", {"signature": {"a": 1}}),)
    tasks = (
        TaskObservation("train", EngineState.SUCCEEDED, SEEN_AT, SEEN_AT, metrics={"loss": float("nan"), "auc": 0.5}),
        TaskObservation("evaluate", EngineState.FAILED, error="boom\0"),
    )
    seen = RunObservation(EngineRunId("r"), SEEN_AT, state=EngineState.SUCCEEDED, tasks=tasks, outputs=outputs)
    fact = Fact("acme", "fraud", "run", "registering", "first")
    async with runs.lease_due() as found:
        assert found is not None
        await runs.record(found, Step(RunState.REGISTERING, 0, reason="why\0", seen=seen, facts=(fact,)))
    again = await leased(runs)
    assert again is not None
    assert (again.state, again.outputs) == (RunState.REGISTERING, outputs)
    assert await verbs(database) == ["created", "registering"]
    async with ledger.database(PostgresRole.API) as api:
        reads = LedgerReads(api, "acme")
        view = await reads.run("fraud", "first")
        assert view is not None
        assert (view.state, view.reason, view.outputs) == ("registering", "why\ufffd", outputs)
        shown = {task.name: (task.state, task.error, task.metrics) for task in await reads.tasks(view)}
        assert shown == {
            "train": ("succeeded", "", {"loss": "nan", "auc": 0.5}),
            "evaluate": ("failed", "boom\ufffd", {}),
        }
        other = LedgerReads(api, "globex")
        assert await other.run("fraud", "first") is None
        assert await other.tasks(view) == []


async def test_runs_are_listed_newest_first_in_pages(runs: LedgerRuns, ledger: Ledger) -> None:
    for number in range(5):
        await runs.admit(f"{number}" * 40, [run(f"run-{number}"), run(f"twin-{number}")], [])
    async with ledger.database(PostgresRole.API) as api:
        reads, names, before = LedgerReads(api, "acme"), list[str](), None
        while page := await reads.runs("fraud", Page(3, before)):
            names += [each.name for each in page]
            before = (page[-1].created_at, page[-1].uid)
    assert len(names) == len(set(names)) == 10
    assert [name[-1] for name in names] == sorted((name[-1] for name in names), reverse=True)


def registering(asked: RunRow) -> WriteRequest:
    return WriteRequest(RequestId(asked.registration_id), "acme", "fraud", "Register", Principal("ordain-registry"), ())


async def test_a_registration_is_what_became_of_its_request(runs: LedgerRuns, database: Database) -> None:
    queue, asked = LedgerQueue(database), run()
    assert (await runs.registration(asked)).state is RegistrationState.UNASKED
    await queue.put(registering(asked))
    assert (await runs.registration(asked)).state is RegistrationState.WAITING
    closing = Closing("1" * 40, SEEN_AT, "registry", asked.registration_id, ("models/fraud/1.yaml",), (), ())
    await queue.close([closing], (), "1" * 40)
    done = await runs.registration(asked)
    assert (done.state, done.commit, done.path) == (RegistrationState.COMMITTED, "1" * 40, "models/fraud/1.yaml")
    other = run("other")
    await queue.put(registering(other))
    problems: Sequence[Problem] = (Problem("a", "", 0, 0, "first"), Problem("b", "", 0, 0, "second"))
    await queue.close((), (Refused(registering(other), tuple(problems)),), None)
    refused = await runs.registration(other)
    assert (refused.state, refused.reason) == (RegistrationState.REFUSED, "a: first; b: second")


async def test_facts_tell_which_runs_may_go_and_which_names_are_taken(
    runs: LedgerRuns, database: Database, ledger: Ledger
) -> None:
    ended, going, tried = run("ended"), run("going"), run("tried")
    await runs.admit("1" * 40, [ended, going, tried], [])
    with ledger.connect() as connection:
        connection.execute("UPDATE runs SET state = 'succeeded' WHERE name IN ('ended', 'tried')")
    unknown = run("unknown").path
    removed = {ended.path: 1, going.path: 1, tried.path: 2, unknown: 1}
    named = frozenset({("acme", "fraud", "ended"), ("acme", "fraud", "fresh"), ("globex", "fraud", "going")})
    queue = LedgerQueue(database)
    facts = await queue.facts(LedgerQuestions(removed, named))
    assert facts == Facts(frozenset({going.path, tried.path, unknown}), frozenset({ended.path}))
    assert await queue.facts(LedgerQuestions()) == Facts()
    async with ledger.database(PostgresRole.API) as api:
        assert await LedgerQueue(api, "acme").facts(LedgerQuestions(removed, named)) == facts
        assert (await LedgerQueue(api, "globex").facts(LedgerQuestions({}, named))).retired == frozenset()


async def test_a_submission_is_written_ahead_with_what_the_engine_could_promise_least(
    runs: LedgerRuns, ledger: Ledger
) -> None:
    await runs.admit("1" * 40, [run()], [])
    for promised in (Delivery.AT_LEAST_ONCE, Delivery.EXACTLY_ONCE):
        async with runs.lease_due() as found:
            assert found is not None
            await runs.begin(found, promised)
        await make_due(ledger)
    again = await leased(runs)
    assert again is not None
    assert (again.submissions, again.delivery) == (2, Delivery.AT_LEAST_ONCE)
    assert again.submitted_ago is not None
    assert 0 <= again.submitted_ago < 60


async def test_whoever_lost_the_lease_submits_nothing(runs: LedgerRuns, ledger: Ledger) -> None:
    await runs.admit("1" * 40, [run()], [])
    async with runs.lease_due() as slept:
        await make_due(ledger)
        assert await leased(runs) is not None
        assert slept is not None
        with pytest.raises(Conflict):
            await runs.begin(slept, Delivery.EXACTLY_ONCE)


async def test_a_run_that_is_woken_during_a_step_is_looked_at_after_it(runs: LedgerRuns) -> None:
    await runs.admit("1" * 40, [run()], [])
    async with runs.lease_due() as found:
        assert found is not None
        assert await runs.claim(found, 1)
        await runs.wake([found.run_id])
        await runs.record(found, Step(RunState.SUBMITTED, due_in=300))
    async with runs.lease_due() as again:
        assert again is not None
        await runs.record(again, Step(RunState.SUBMITTED, due_in=300))
    assert await leased(runs) is None
    await runs.wake([again.run_id])
    assert await leased(runs) is not None


async def test_projects_are_known_while_their_runs_are_under_way_and_for_a_day(
    runs: LedgerRuns, ledger: Ledger
) -> None:
    await runs.admit("1" * 40, [run()], [])
    assert list(await runs.projects()) == []
    async with runs.lease_due() as found:
        assert found is not None
        assert await runs.claim(found, 1)
        assert list(await runs.projects()) == [("acme", "fraud")]
        await runs.record(found, Step(RunState.FAILED, 0))
    assert list(await runs.projects()) == [("acme", "fraud")]
    with ledger.connect() as connection:
        connection.execute("UPDATE runs SET finished_at = now() - interval '2 days'")
    assert list(await runs.projects()) == []


async def test_executions_beyond_the_first_are_counted_and_told(runs: LedgerRuns, database: Database) -> None:
    await runs.admit("1" * 40, [run()], [])
    stranger = EngineRunId("of another platform")
    assert list(await runs.known([stranger, run().run_id])) == [run().run_id]
    await runs.duplicated(run().run_id, 2)
    await runs.duplicated(stranger, 1)
    assert await verbs(database) == ["created", "duplicated"]
    view = await LedgerReads(database, "acme").run("fraud", "first")
    assert view is not None
    assert (view.delivery, view.duplicates) == (Delivery.AT_LEAST_ONCE, 2)
