"""What the KFP driver does beyond the port: on the double, which fails as real servers do."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from reconciler.drivers.fake_pipelines import FakeOutput, FakeProgram
from reconciler.drivers.kubernetes.kfp_api import KfpApi
from reconciler.drivers.kubernetes.kfp_pipelines import LOST, KfpPipelines
from reconciler.drivers.kubernetes.workflows import UnseenWorkflows
from reconciler.planning.observations import Delivery, EngineRunId, EngineState
from reconciler.ports.errors import Ambiguous, Rejected, Stalled, Waiting
from reconciler.ports.pipelines import ProjectKey, Submission
from reconciler.stores.fake_objects import MemoryObjects
from tests.support.kfp_double import Fault, KfpDouble
from tests.support.kfp_server import serving
from tests.support.kfp_world import Kfp, kfp_on, kfp_pipelines, writes_to

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "hello": ROOT / "templates/hello/1.0.0/pipeline.yaml",
    "sleeps": ROOT / "tests/fixtures/templates/sleeps/1.0.0/pipeline.yaml",
}
PROGRAMS = {
    "hello": FakeProgram("hello", outputs=(FakeOutput("greeting", "system.Artifact", {"": b"hello\n"}),)),
    "sleeps": FakeProgram("sleep", endless=True),
}
FRAUD = ProjectKey("acme", "fraud")


def kfp_client(**words: Any) -> Any:
    from kfp import Client  # noqa: PLC0415 - takes seconds

    return Client(**words)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture
def double(objects: MemoryObjects) -> KfpDouble:
    return KfpDouble(PROGRAMS, put=writes_to(objects))


@pytest.fixture
def address(double: KfpDouble) -> Iterator[str]:
    with serving(double) as address:
        yield address


@pytest.fixture
def kfp(address: str, objects: MemoryObjects) -> Iterator[Kfp]:
    made = kfp_on(address, objects, PACKAGES)
    yield made
    made.close()


@pytest.fixture
def engine(kfp: Kfp) -> KfpPipelines:
    return kfp.engine


def submission(template: str = "hello", **changes: Any) -> Submission:
    made = Submission(
        run_id=EngineRunId(str(uuid4())),
        display_name="first",
        tenant="acme",
        project="fraud",
        path="tenants/acme/projects/fraud/runs/2026-11-23/first.yaml",
        attempt=1,
        number=1,
        template=f"{template}@1.0.0",
        package=PACKAGES[template].read_bytes(),
        parameters={"echo": "you"} if template == "hello" else {"seconds": 60},
    )
    return replace(made, **changes)


async def state_of(engine: KfpPipelines, run: Submission, *wanted: EngineState) -> None:
    async with asyncio.timeout(20):
        while (await engine.find(run.run_id)).state not in wanted:
            await asyncio.sleep(0.02)


async def test_a_run_is_made_in_its_projects_experiment_as_its_account(engine: KfpPipelines, double: KfpDouble) -> None:
    run = submission()
    await engine.submit(run)
    row = double.rows[run.run_id]
    assert double.experiments[row.experiment_id].name == "acme--fraud"
    assert row.asked["service_account"] == "ordain-runs"
    assert row.workflow == f"run-{run.run_id}"
    await engine.submit(submission())
    assert double.asked["POST experiments"] == double.asked["GET experiments"] == 1


@pytest.mark.parametrize("multi_user", [False, True])
async def test_runs_are_made_in_the_projects_namespace_where_kfp_has_many_users(
    engine: KfpPipelines, double: KfpDouble, multi_user: bool
) -> None:
    double.multi_user = multi_user
    run = submission()
    await engine.submit(run)
    assert double.rows[run.run_id].namespace == ("acme--fraud" if multi_user else "kubeflow")
    await state_of(engine, run, EngineState.SUCCEEDED)


async def test_an_experiment_that_somebody_deleted_is_made_again(engine: KfpPipelines, double: KfpDouble) -> None:
    await engine.submit(submission())
    double.experiments = {key: each for key, each in double.experiments.items() if each.name == "Default"}
    run = submission()
    with pytest.raises(Waiting, match="the experiment of acme/fraud is gone"):
        await engine.submit(run)
    await engine.submit(run)
    assert run.run_id in double.rows


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"template": "nothing@1.0.0"}, "no template nothing@1.0.0"),
        ({"package": b"pipelineInfo: {name: hello}\n"}, "sha256"),
        ({"parameters": {"echo": 7}}, "requires type string"),
        ({"parameters": {"nope": "x"}}, "not required by pipeline: nope"),
    ],
)
async def test_what_kfp_would_never_take_is_refused_with_the_reason(
    engine: KfpPipelines, double: KfpDouble, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(Rejected, match=said):
        await engine.submit(replace(submission(), **changes))
    assert not double.workflows


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"  name: hello\nroot", b"  name: Hello There\nroot", "KFP names Workflows after it"),
        (b"name: comp-hello", b"name: comp-gone", "a component comp-gone that is not there"),
        (b"executorLabel: exec-hello", b"executorLabel: exec-gone", "an executor exec-gone that is not there"),
        (b"schemaVersion: 2.1.0", b"schemaVersion: 3.0.0", "KFP takes 2.1.0 only"),
        (b"taskInfo:", b"colour: red\n        taskInfo:", 'no field named "colour"'),
        (b"        taskInfo:", b"        dependentTasks: [hello]\n        taskInfo:", "circle"),
    ],
)
async def test_packages_that_kfp_answers_with_500_are_refused_before_they_are_sent(
    address: str, objects: MemoryObjects, double: KfpDouble, tmp_path: Path, old: bytes, new: bytes, said: str
) -> None:
    package = tmp_path / "pipeline.yaml"
    package.write_bytes(PACKAGES["hello"].read_bytes().replace(old, new))
    made = kfp_on(address, objects, {"hello": package})
    with pytest.raises(Rejected, match=said):
        await made.engine.submit(submission(package=package.read_bytes()))
    assert not double.asked["POST runs"]
    made.close()


MADE = {Fault.FAILS_AFTER, Fault.CUT_AFTER}
HALF_MADE = {Fault.DIES_BETWEEN, Fault.ROW_FAILS}


@pytest.mark.parametrize("fault", [Fault.DIES_BEFORE, *sorted(HALF_MADE | MADE, key=lambda fault: fault.name)])
async def test_after_an_answer_that_says_nothing_the_engine_is_asked(
    engine: KfpPipelines, double: KfpDouble, fault: Fault
) -> None:
    double.faults, run = iter([fault]), submission()
    with pytest.raises(Ambiguous):
        await engine.submit(run)
    seen = await engine.find(run.run_id)
    assert seen.absent is (fault is Fault.DIES_BEFORE)
    assert bool(seen.unsettled) is (fault in HALF_MADE)
    async with asyncio.timeout(20):
        while not (seen := await engine.find(run.run_id)).absent and not seen.state.finished:
            await asyncio.sleep(0.05)
    assert seen.absent is (fault not in MADE), "a Workflow without a row was taken away"


async def test_a_second_submission_runs_nothing_where_kubernetes_names_workflows(
    engine: KfpPipelines, double: KfpDouble
) -> None:
    run = submission()
    answers = await asyncio.gather(*(engine.submit(run) for _ in range(8)), return_exceptions=True)
    assert [type(each) for each in answers if each is not None] == [Ambiguous] * 7
    assert len(double.workflows) == 1


async def test_without_the_policy_duplicates_are_ended_and_counted(engine: KfpPipelines, double: KfpDouble) -> None:
    double.policy, run = False, submission("sleeps")
    assert await engine.delivery() is Delivery.AT_LEAST_ONCE
    await engine.submit(run)
    for _ in range(2):
        with pytest.raises(Ambiguous):
            await engine.submit(run)
    await engine.submit(submission("sleeps"))
    assert list(await engine.doubled()) == [run.run_id]
    assert [await engine.end_duplicates(run.run_id) for _ in range(2)] == [2, 0]
    assert list(await engine.doubled()) == []
    assert len(double.workflows) == 2
    await state_of(engine, run, EngineState.RUNNING)


async def test_without_kubernetes_nothing_is_promised_and_kfps_word_stands(
    address: str, objects: MemoryObjects, double: KfpDouble
) -> None:
    engine, run = kfp_pipelines(address, UnseenWorkflows(), objects, PACKAGES), submission()
    assert await engine.delivery() is Delivery.AT_LEAST_ONCE
    assert (await engine.find(run.run_id)).absent
    await engine.submit(run)
    await state_of(engine, run, EngineState.SUCCEEDED)
    assert list(await engine.doubled()) == []
    engine.close()


async def test_a_run_whose_workflow_somebody_deleted_is_lost(engine: KfpPipelines, double: KfpDouble) -> None:
    run = submission("sleeps")
    await engine.submit(run)
    await state_of(engine, run, EngineState.RUNNING)
    double.workflows.clear()
    seen = await engine.find(run.run_id)
    assert (seen.state, seen.error) == (EngineState.FAILED, LOST)


async def test_a_run_that_is_cancelled_with_its_workflow_gone_is_cancelled(
    engine: KfpPipelines, double: KfpDouble
) -> None:
    run = submission("sleeps")
    await engine.submit(run)
    double.workflows.clear()
    with pytest.raises(Waiting, match="not found"):
        await engine.cancel(run.run_id)
    assert (await engine.find(run.run_id)).state is EngineState.CANCELLED


async def test_a_finished_run_is_archived_and_its_workflow_left_to_its_time(
    engine: KfpPipelines, double: KfpDouble
) -> None:
    run = submission()
    await engine.submit(run)
    await state_of(engine, run, EngineState.SUCCEEDED)
    await engine.forget(run.run_id)
    assert double.rows[run.run_id].storage_state == "ARCHIVED"
    double.collect_garbage()
    assert (await engine.find(run.run_id)).state is EngineState.SUCCEEDED


async def test_a_run_that_goes_on_is_not_forgotten(engine: KfpPipelines) -> None:
    run = submission("sleeps")
    await engine.submit(run)
    with pytest.raises(Waiting, match="has not ended"):
        await engine.forget(run.run_id)
    assert list(await engine.kept([FRAUD])) == [run.run_id]


async def test_one_list_a_project_tells_what_moved(engine: KfpPipelines, double: KfpDouble) -> None:
    runs = [submission("sleeps") for _ in range(5)]
    for run in runs:
        await engine.submit(run)
    for run in runs:
        await state_of(engine, run, EngineState.RUNNING)
    asked = double.asked.copy()
    assert set(await engine.moved([FRAUD])) == {run.run_id for run in runs}
    await engine.cancel(runs[0].run_id)
    await state_of(engine, runs[0], EngineState.CANCELLED)
    before = double.asked["GET runs"]
    assert list(await engine.moved([FRAUD])) == [runs[0].run_id]
    assert double.asked["GET runs"] == before + 1
    assert asked["POST experiments"] == 1


async def test_a_list_of_many_pages_is_read_to_its_end(engine: KfpPipelines, double: KfpDouble) -> None:
    run = submission("sleeps")
    await engine.submit(run)
    row = double.rows[run.run_id]
    for number in range(450):
        double.rows[str(number)] = replace(row, run_id=str(number))
    assert len(await engine.kept([FRAUD])) == 451


@pytest.mark.parametrize("down", ["database_down", "kubernetes_down"])
async def test_a_server_that_lost_what_it_stands_on_is_waited_for(
    engine: KfpPipelines, double: KfpDouble, down: str
) -> None:
    run = submission()
    setattr(double, down, True)
    with pytest.raises(Waiting):
        await engine.find(run.run_id)
    with pytest.raises((Waiting, Ambiguous)):
        await engine.submit(run)
    setattr(double, down, False)
    assert (await engine.find(run.run_id)).absent
    await engine.submit(run)


async def test_a_token_is_read_again_when_it_is_refused(
    address: str, objects: MemoryObjects, double: KfpDouble, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("old")
    double.tokens = {"old"}
    made = kfp_on(address, objects, PACKAGES, file.read_text)
    await made.engine.submit(submission())
    double.tokens = {"new"}
    with pytest.raises(Stalled, match="renew the token"):
        await made.engine.find(EngineRunId("x"))
    file.write_text("new")
    run = submission()
    await made.engine.submit(run)
    assert run.run_id in double.rows
    made.close()


async def test_a_server_that_is_not_there_was_asked_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    api = KfpApi(f"http://127.0.0.1:{port}")
    with pytest.raises(Waiting, match="refused"):
        await api.create_run({"display_name": "x"})
    api.close()


async def test_a_server_without_tls_is_told_in_words(address: str) -> None:
    api = KfpApi(address.replace("http:", "https:"))
    with pytest.raises(Waiting, match="SSL"):
        await api.run("x")
    api.close()


def test_kfps_own_client_takes_the_double_for_a_server(address: str, double: KfpDouble) -> None:
    client = kfp_client(host=address)
    made = client.create_run_from_pipeline_package(
        str(PACKAGES["hello"]), arguments={"echo": "you"}, run_name="by hand", experiment_name="mine"
    )
    assert client.wait_for_run_completion(made.run_id, timeout=20, sleep_duration=1).state == "SUCCEEDED"
    assert [row.asked["display_name"] for row in double.rows.values()] == ["by hand"]


def test_the_client_of_kfp_is_imported_with_the_first_call() -> None:
    modules = "api.composition.reconciler, api.composition.api, reconciler.drivers.kubernetes.kfp_pipelines"
    heavy = ("kfp", "kfp_server_api", "kubernetes", "urllib3")
    ask = f"import sys, {modules}; print([name for name in {heavy} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True, cwd=ROOT)
    assert said.stdout.strip() == "[]"
