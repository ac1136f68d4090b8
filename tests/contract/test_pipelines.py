"""The Pipelines port: what holds for every engine, then what the local engine promises beyond it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from reconciler.drivers.fake_pipelines import FakeOutput, FakePipelines, FakeProgram
from reconciler.drivers.local.isolation import namespaced
from reconciler.drivers.local.pipelines import LocalPipelines
from reconciler.drivers.local.run_folder import RunFolder, running, write_durably
from reconciler.planning.observations import Delivery, EngineRunId, EngineState, RunObservation
from reconciler.ports.errors import Ambiguous
from reconciler.ports.objects import Objects
from reconciler.ports.pipelines import Pipelines, ProjectKey, Submission
from reconciler.process_identity import ProcessIdentity, end_group, identity_of, is_alive
from reconciler.services.layout import Layout
from reconciler.services.sweep import end_children, withdrawn_runs
from reconciler.stores.fake_objects import MemoryObjects
from tests.support.kfp_double import KfpDouble
from tests.support.kfp_server import serving
from tests.support.kfp_world import REAL_KFP, Kfp, kfp_on, real_kfp, writes_to

ROOT = Path(__file__).resolve().parents[2]
TASKS_PYTHON = ROOT / ".venv-tasks" / "bin" / "python"
PACKAGES = {
    "hello": ROOT / "templates/hello/1.0.0/pipeline.yaml",
    "train-classifier": ROOT / "templates/train-classifier/1.0.0/pipeline.yaml",
    "fails": ROOT / "tests/fixtures/templates/fails/1.0.0/pipeline.yaml",
    "pries": ROOT / "tests/fixtures/templates/pries/1.0.0/pipeline.yaml",
    "sleeps": ROOT / "tests/fixtures/templates/sleeps/1.0.0/pipeline.yaml",
}
PROGRAMS = {
    "hello": FakeProgram(
        "hello",
        log=b"hello, you\n",
        outputs=(FakeOutput("greeting", "system.Artifact", {"": b"hello, you\n"}),),
    ),
    "fails": FakeProgram("explode", log=b"ValueError: no luck\n", error="ValueError: no luck"),
    "sleeps": FakeProgram("sleep", log=b"asleep for 60.0 s\n", endless=True),
}
FRAUD = ProjectKey("acme", "fraud")
PATIENCE_SECONDS = 90.0

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def submission(template: str, **parameters: Any) -> Submission:
    package = PACKAGES[template].read_bytes()
    return Submission(
        run_id=EngineRunId(str(uuid4())),
        display_name=template,
        tenant="acme",
        project="fraud",
        path=f"tenants/acme/projects/fraud/runs/2026-11-23/{template}.yaml",
        attempt=1,
        number=1,
        template=f"{template}@1.0.0",
        package=package,
        parameters=parameters,
    )


async def until(
    look: Callable[[], Awaitable[RunObservation]], wanted: Callable[[RunObservation], bool]
) -> RunObservation:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not wanted(seen := await look()):
            await asyncio.sleep(0.05)
        return seen


async def finished(engine: Pipelines, run_id: EngineRunId) -> RunObservation:
    return await until(lambda: engine.find(run_id), lambda seen: seen.state.finished)


async def submit_late(engine: Pipelines, run: Submission) -> None:
    """Submit as one does who slept since it looked, and takes no answer for one."""
    with suppress(Ambiguous):
        await engine.submit(run)


async def task_running(engine: Pipelines, run_id: EngineRunId, task: str) -> None:
    """Wait until the task runs and, where the log of a running one can be read, has said something."""
    await until(
        lambda: engine.find(run_id),
        lambda seen: (task, EngineState.RUNNING) in [(item.name, item.state) for item in seen.tasks],
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        while isinstance(engine, LocalPipelines) and b"asleep" not in (await engine.logs(run_id, task) or b""):
            await asyncio.sleep(0.05)


def require_tasks_environment() -> None:
    if TASKS_PYTHON.exists():
        return
    if os.environ.get("ORDAIN_REQUIRE_ALL") == "1":
        pytest.fail(f"{TASKS_PYTHON} is not there: run `make setup`")
    pytest.skip("needs the tasks' environment: run `make setup`")


@dataclass(frozen=True)
class Local:
    """A real local engine in a folder of its own."""

    proc_dir: Path
    objects: MemoryObjects
    engine: LocalPipelines

    @property
    def layout(self) -> Layout:
        """What the platform's own sweep goes by."""
        return Layout(self.proc_dir.parent.parent)

    def another(self) -> LocalPipelines:
        """Return what a restarted reconciler would have: another instance on the same folder."""
        return LocalPipelines(self.proc_dir, TASKS_PYTHON, self.objects, hidden=[])

    def folder(self, run: Submission) -> RunFolder:
        return RunFolder(self.proc_dir, run.run_id)

    def process(self, run: Submission) -> ProcessIdentity:
        process = self.folder(run).process()
        assert process is not None
        return process


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture
def local(tmp_path: Path, objects: MemoryObjects) -> Iterator[Local]:
    require_tasks_environment()
    proc_dir = Layout(tmp_path).processes
    proc_dir.mkdir(parents=True)
    yield Local(proc_dir, objects, LocalPipelines(proc_dir, TASKS_PYTHON, objects, hidden=[]))
    for _, process in running(proc_dir):
        asyncio.run(end_group(process, 0))


@pytest.fixture
def kfp(objects: MemoryObjects) -> Iterator[Kfp]:
    """The KFP driver on the double."""
    with serving(KfpDouble(PROGRAMS, put=writes_to(objects))) as address:
        made = kfp_on(address, objects, PACKAGES)
        yield made
        made.close()


@dataclass(frozen=True)
class Place:
    """An engine, and where its runs leave their outputs."""

    engine: Pipelines
    objects: Objects


@pytest.fixture(params=["fake", "local", "kfp", *(["real-kfp"] if REAL_KFP else [])])
def place(request: pytest.FixtureRequest, objects: MemoryObjects) -> Iterator[Place]:
    match request.param:
        case "fake":
            yield Place(FakePipelines(objects, PROGRAMS), objects)
        case "local":
            local: Local = request.getfixturevalue("local")
            yield Place(local.engine, objects)
        case "kfp":
            kfp: Kfp = request.getfixturevalue("kfp")
            yield Place(kfp.engine, objects)
        case _:
            real, storage = real_kfp(PACKAGES)
            yield Place(real.engine, storage)
            real.close()


@pytest.fixture
def engine(place: Place) -> Pipelines:
    return place.engine


async def test_an_unknown_run_is_absent_and_cancelling_or_forgetting_it_is_no_error(
    engine: Pipelines,
) -> None:
    unknown = EngineRunId(str(uuid4()))
    await engine.cancel(unknown)
    await engine.forget(unknown)
    assert (await engine.find(unknown)).absent
    assert await engine.logs(unknown, "hello") is None


async def test_a_run_succeeds_with_its_outputs_in_object_storage(place: Place) -> None:
    engine, run = place.engine, submission("hello", echo="you")
    await engine.submit(run)
    assert not (await engine.find(run.run_id)).absent
    seen = await finished(engine, run.run_id)
    assert (seen.state, seen.error) == (EngineState.SUCCEEDED, "")
    assert [(task.name, task.state) for task in seen.tasks] == [("hello", EngineState.SUCCEEDED)]
    (output,) = seen.outputs
    assert (output.task, output.output, output.schema) == ("hello", "greeting", "system.Artifact")
    assert output.uri.startswith(f"s3://artifacts/acme/fraud/runs/{run.run_id}/")
    assert output.uri.endswith("/greeting")
    assert await place.objects.get("artifacts", output.uri.removeprefix("s3://artifacts/")) == b"hello, you\n"


async def test_a_run_fails_with_the_reason_and_the_log_at_hand(engine: Pipelines) -> None:
    run = submission("fails", message="no luck")
    await engine.submit(run)
    seen = await finished(engine, run.run_id)
    assert (seen.state, seen.error) == (EngineState.FAILED, "task explode failed: ValueError: no luck")
    assert {task.name: task.error for task in seen.tasks}["explode"] == "ValueError: no luck"
    assert b"ValueError: no luck" in (await engine.logs(run.run_id, "explode") or b"")


async def test_a_cancelled_run_is_cancelled_for_good(engine: Pipelines) -> None:
    run = submission("sleeps", seconds=60)
    await engine.submit(run)
    await task_running(engine, run.run_id, "sleep")
    await engine.cancel(run.run_id)
    assert (await finished(engine, run.run_id)).state is EngineState.CANCELLED
    await submit_late(engine, run)
    assert (await engine.find(run.run_id)).state is EngineState.CANCELLED


async def test_cancelling_a_finished_run_changes_nothing(engine: Pipelines) -> None:
    run = submission("hello", echo="you")
    await engine.submit(run)
    await finished(engine, run.run_id)
    await engine.cancel(run.run_id)
    assert (await engine.find(run.run_id)).state is EngineState.SUCCEEDED


async def test_logs_outlive_a_forgotten_run(engine: Pipelines) -> None:
    run = submission("hello", echo="you")
    await engine.submit(run)
    await finished(engine, run.run_id)
    await engine.forget(run.run_id)
    seen = await engine.find(run.run_id)
    assert seen.absent or seen.state is EngineState.SUCCEEDED
    assert b"hello, you" in (await engine.logs(run.run_id, "hello") or b"")


async def test_a_forgotten_run_is_never_run_again(engine: Pipelines) -> None:
    run = submission("hello", echo="you")
    await engine.submit(run)
    await finished(engine, run.run_id)
    assert run.run_id in await engine.kept([FRAUD])
    await engine.forget(run.run_id)
    assert run.run_id not in await engine.kept([FRAUD])
    await submit_late(engine, run)
    assert run.run_id not in await engine.kept([FRAUD])
    seen = await engine.find(run.run_id)
    assert seen.absent or seen.state is EngineState.SUCCEEDED
    assert (await engine.logs(run.run_id, "hello") or b"").count(b"hello, you") == 1


async def test_what_can_be_promised_is_kept(engine: Pipelines) -> None:
    if await engine.delivery() is Delivery.AT_LEAST_ONCE:
        pytest.skip("this cluster has no policy that names Workflows: nothing is promised")
    run = submission("hello", echo="you")
    await asyncio.gather(*(submit_late(engine, run) for _ in range(3)))
    assert (await finished(engine, run.run_id)).state is EngineState.SUCCEEDED
    assert run.run_id not in await engine.doubled()
    assert await engine.end_duplicates(run.run_id) == 0


async def test_a_run_that_moved_is_told_once_by_engines_that_tell(engine: Pipelines) -> None:
    run = submission("hello", echo="you")
    await engine.submit(run)
    await finished(engine, run.run_id)
    tells = engine.look_again > PATIENCE_SECONDS
    assert (run.run_id in await engine.moved([FRAUD])) is tells
    assert run.run_id not in await engine.moved([FRAUD])
    await engine.forget(run.run_id)
    assert (run.run_id in await engine.moved([FRAUD])) is tells
    assert run.run_id not in await engine.moved([FRAUD])


async def test_the_fake_executes_a_run_once_however_often_it_is_submitted() -> None:
    engine = FakePipelines(MemoryObjects(), PROGRAMS)
    run = submission("hello")
    await asyncio.gather(engine.submit(run), engine.submit(run))
    await finished(engine, run.run_id)
    await engine.submit(run)
    assert engine.executed == [run.run_id]


async def test_many_submitters_of_one_run_start_it_once(local: Local) -> None:
    run = submission("hello", echo="you")
    engines = [local.another() for _ in range(4)]
    await asyncio.gather(*(engine.submit(run) for engine in engines))
    assert (await finished(local.engine, run.run_id)).state is EngineState.SUCCEEDED
    await local.engine.submit(run)
    log = await local.engine.logs(run.run_id, "hello") or b""
    assert log.count(b"hello, you") == 1


async def test_a_submitter_that_died_before_its_claim_leaves_nothing_running(local: Local) -> None:
    run = submission("hello", echo="you")
    folder = local.folder(run)
    folder.prepare(run)
    assert (await local.engine.find(run.run_id)).absent
    # Its process was started, and loses its stdin with the submitter.
    child = local.engine._spawn(folder, "a token that was never claimed")
    assert child.stdin is not None
    child.stdin.close()
    assert await asyncio.to_thread(child.wait, PATIENCE_SECONDS) == 0
    assert (await local.engine.find(run.run_id)).absent
    await local.engine.submit(run)
    assert (await finished(local.engine, run.run_id)).state is EngineState.SUCCEEDED


async def test_a_submitter_that_died_after_its_claim_has_submitted(local: Local) -> None:
    run = submission("hello", echo="you")
    folder = local.folder(run)
    folder.prepare(run)
    child = local.engine._spawn(folder, "token")
    identity = identity_of(child.pid)
    assert identity is not None
    assert folder.claim(identity, "token")
    assert child.stdin is not None
    child.stdin.close()
    assert (await finished(local.another(), run.run_id)).state is EngineState.SUCCEEDED


async def test_a_submitter_that_slept_past_the_end_begins_nothing(local: Local) -> None:
    run = submission("hello", echo="you")
    folder = local.folder(run)
    folder.prepare(run)
    await local.another().submit(run)
    await finished(local.engine, run.run_id)
    await local.engine.forget(run.run_id)
    # It had looked before all that, and goes on where it was.
    folder.prepare(run)
    child = local.engine._spawn(folder, "token")
    identity = identity_of(child.pid)
    assert identity is not None
    assert folder.claim(identity, "token")
    assert child.stdin is not None
    child.stdin.close()
    assert await asyncio.to_thread(child.wait, PATIENCE_SECONDS) == 0
    assert not (folder.path / "progress.json").exists()


async def test_a_run_cancelled_while_it_is_submitted_never_begins(local: Local) -> None:
    run = submission("hello", echo="you")
    folder = local.folder(run)
    folder.prepare(run)
    child = local.engine._spawn(folder, "token")
    await local.engine.cancel(run.run_id)
    identity = identity_of(child.pid)
    assert identity is not None
    assert folder.claim(identity, "token")
    assert child.stdin is not None
    child.stdin.close()
    assert (await finished(local.engine, run.run_id)).state is EngineState.CANCELLED
    assert await local.engine.logs(run.run_id, "hello") is None


async def test_a_killed_run_is_lost_and_leaves_no_process(local: Local) -> None:
    run = submission("sleeps", seconds=60)
    await local.engine.submit(run)
    await task_running(local.engine, run.run_id, "sleep")
    os.kill(local.process(run).pid, signal.SIGKILL)
    seen = await finished(local.engine, run.run_id)
    assert seen.state is EngineState.FAILED
    assert seen.error.startswith("lost: ")
    assert [(task.name, task.state) for task in seen.tasks] == [("sleep", EngineState.FAILED)]
    assert b"asleep" in (await local.objects.get("artifacts", f"acme/fraud/runs/{run.run_id}/sleep/task.log") or b"")
    assert not session_members(local.process(run).pid)


async def test_a_run_that_the_platform_ended_begins_again_from_the_start(local: Local) -> None:
    run = submission("sleeps", seconds=2)
    await local.engine.submit(run)
    await task_running(local.engine, run.run_id, "sleep")
    (local.folder(run).path / "outputs" / "stale").mkdir()
    assert await end_children(local.layout) == [local.folder(run).path.name]
    assert withdrawn_runs(local.layout) == 1
    seen = await local.another().find(run.run_id)
    assert (seen.absent, seen.withdrawn) == (True, True)

    await asyncio.gather(*(local.another().submit(run) for _ in range(3)))
    assert withdrawn_runs(local.layout) == 0
    assert (await finished(local.engine, run.run_id)).state is EngineState.SUCCEEDED
    log = await local.engine.logs(run.run_id, "sleep") or b""
    assert log.count(b"asleep") == 1, "what the first left was removed"
    assert not (local.folder(run).path / "outputs" / "stale").exists()


async def test_a_run_that_had_ended_before_the_platform_stays_as_it_is(local: Local) -> None:
    dead, done = submission("sleeps", seconds=60), submission("hello", echo="you")
    for run in (dead, done):
        await local.engine.submit(run)
    await task_running(local.engine, dead.run_id, "sleep")
    os.kill(local.process(dead).pid, signal.SIGKILL)
    await finished(local.engine, done.run_id)
    await end_children(local.layout)
    assert withdrawn_runs(local.layout) == 0
    assert (await finished(local.engine, dead.run_id)).error.startswith("lost: ")
    assert (await finished(local.engine, done.run_id)).state is EngineState.SUCCEEDED


async def test_another_instance_adopts_a_running_run(local: Local) -> None:
    run = submission("sleeps", seconds=0.5)
    await local.engine.submit(run)
    assert [run_id for run_id, _ in running(local.proc_dir)] == [run.run_id]
    assert (await finished(local.another(), run.run_id)).state is EngineState.SUCCEEDED


async def test_a_cancelled_run_leaves_no_process(local: Local) -> None:
    run = submission("sleeps", seconds=60)
    await local.engine.submit(run)
    await task_running(local.engine, run.run_id, "sleep")
    await local.another().cancel(run.run_id)
    assert not is_alive(local.process(run))
    assert not session_members(local.process(run).pid)


async def test_a_run_sees_nothing_of_our_environment(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for packages")
    run = submission("sleeps", seconds=60)
    await local.engine.submit(run)
    environment = Path(f"/proc/{local.process(run).pid}/environ").read_bytes()
    assert b"not for packages" not in environment
    assert f"TMPDIR={local.folder(run).path / 'tmp'}".encode() in environment


async def test_a_parameter_of_the_wrong_type_fails_the_run_saying_which(local: Local) -> None:
    run = submission("sleeps", seconds="long")
    await local.engine.submit(run)
    seen = await finished(local.engine, run.run_id)
    assert seen.state is EngineState.FAILED
    assert "'seconds'" in seen.error


@pytest.mark.skipif(not namespaced(), reason="the system lets this user make no namespaces")
async def test_a_run_sees_no_state_no_process_and_no_network(local: Local, tmp_path: Path) -> None:
    secrets = tmp_path / "state"
    secrets.mkdir()
    (secrets / "password").touch()
    engine = LocalPipelines(local.proc_dir, TASKS_PYTHON, local.objects, hidden=[secrets])
    with socket.create_server(("127.0.0.1", 0)) as server:
        run = submission("pries", folder=str(secrets), port=server.getsockname()[1])
        await engine.submit(run)
        assert (await finished(engine, run.run_id)).error == ""
    log = (await engine.logs(run.run_id, "pry") or b"").decode()
    found = json.loads(log.rpartition("found ")[2].splitlines()[0])
    assert found == {"undone": False, "files": [], "unreachable": True, "processes": found["processes"]}
    assert found["processes"] < 10


@pytest.mark.parametrize("link", ["file", "folder"])
async def test_an_output_that_links_out_of_the_run_is_refused(local: Local, tmp_path: Path, link: str) -> None:
    run = submission("sleeps", seconds=60)
    await local.engine.submit(run)
    await task_running(local.engine, run.run_id, "sleep")
    output = local.folder(run).path / "outputs" / "sleep" / "sleep" / "slept"
    secret = tmp_path / "secret"
    secret.write_text("another tenant's")
    if link == "file":
        output.symlink_to(secret)
    else:
        output.mkdir()
        (output / "inner").symlink_to(secret)
    forge_result(local.folder(run), output)
    seen = await finished(local.engine, run.run_id)
    assert seen.state is EngineState.FAILED
    assert "output slept of task sleep" in seen.error
    assert not await local.objects.list("artifacts", f"acme/fraud/runs/{run.run_id}/sleep/slept")


async def test_the_training_template_leaves_a_triton_repository(local: Local) -> None:
    run = submission("train-classifier", rounds=5, learning_rate=1)
    await local.engine.submit(run)
    seen = await finished(local.engine, run.run_id)
    assert (seen.state, seen.error) == (EngineState.SUCCEEDED, "")
    assert [task.name for task in seen.tasks] == ["prepare", "train", "evaluate"]
    assert seen.tasks[2].metrics["accuracy"] > 0.8
    model = next(output for output in seen.outputs if output.schema == "system.Model")
    assert (model.task, model.output) == ("train", "model")
    assert model.metadata["signature"]["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 30]}]
    prefix = model.uri.removeprefix("s3://artifacts/")
    files = {info.key.removeprefix(prefix) for info in await local.objects.list("artifacts", prefix)}
    assert files == {"model/config.pbtxt", "model/1/model.onnx"}
    config = await local.objects.get("artifacts", f"{prefix}model/config.pbtxt") or b""
    assert not [line for line in config.splitlines() if line.startswith(b"name")]
    predictions = next(output for output in seen.outputs if output.output == "predictions")
    answers = json.loads(await local.objects.get("artifacts", predictions.uri.removeprefix("s3://artifacts/")) or b"")
    assert len(answers["rows"]) == len(answers["labels"]) == len(answers["probabilities"]) == 143


def session_members(session: int) -> list[int]:
    """Return the living processes of a session; zombies have ended."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            members.append(int(stat.parent.name))
    return members


def forge_result(folder: RunFolder, output: Path) -> None:
    """Write what a package that turned on its own run could write."""
    artifact = {"name": "slept", "schema": "system.Artifact", "path": str(output), "metadata": {}}
    task = {"name": "sleep", "state": "succeeded", "artifacts": [artifact]}
    document = {"format": 1, "state": "succeeded", "error": "", "tasks": [task]}
    write_durably(folder.path / "result.json", json.dumps(document).encode())
