"""The ModelServers port: what holds for every implementation, then what Triton promises beyond it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from reconciler.drivers.fake_serving import FakeModelServers
from reconciler.drivers.local import triton_process
from reconciler.drivers.local.triton import LocalModelServers
from reconciler.drivers.local.triton_server import Pace
from reconciler.planning.observations import ServerObservation, ServerSpec, ServerState
from reconciler.ports.errors import Waiting
from reconciler.ports.objects import ObjectInfo
from reconciler.ports.serving import ModelServers
from reconciler.process_identity import ProcessIdentity, identity_of, is_alive
from reconciler.services.layout import Layout
from reconciler.services.sweep import end_children
from reconciler.stores.fake_objects import MemoryObjects
from tests.fixtures.served_models import CONFIG, MODELS, TEXT_CONFIG, TRITON_PYTHON, repository, stored

PATIENCE_SECONDS = 60.0
# Proofs often enough for a test to see what they find.
PACE = Pace(prove_again=0.2, first_wait=0.1, longest_wait=0.5)
pytestmark = pytest.mark.anyio
triton = [
    pytest.mark.triton,
    pytest.mark.skipif(not TRITON_PYTHON.exists(), reason="no Triton environment: run `make setup`"),
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def until(servers: ModelServers, key: str, wanted: Callable[[ServerObservation], bool]) -> ServerObservation:
    seen: list[ServerObservation] = []
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                seen = [server for server in await servers.observe() if server.key == key]
                if seen and wanted(seen[0]):
                    return seen[0]
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"never seen as wanted, last as {seen}")


async def ready(servers: ModelServers, spec: ServerSpec) -> ServerObservation:
    return await until(servers, spec.key, lambda seen: seen.state is ServerState.READY)


async def failed(servers: ModelServers, spec: ServerSpec) -> ServerObservation:
    return await until(servers, spec.key, lambda seen: seen.state is ServerState.FAILED)


async def infer(address: str, *rows: list[float]) -> list[float]:
    data = [value for row in rows for value in row]
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [len(rows), 4], "data": data}]}
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"http://{address}/v2/models/clf/infer", json=body)
    answer.raise_for_status()
    outputs: list[dict[str, Any]] = answer.json()["outputs"]
    return [float(value) for value in outputs[0]["data"]]


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


Open = Callable[[], LocalModelServers]


@pytest.fixture
async def opened(tmp_path: Path, objects: MemoryObjects) -> AsyncIterator[Open]:
    """Return a way to open the driver on the same folder again and again; everything is ended afterwards."""
    opens: list[LocalModelServers] = []

    def again() -> LocalModelServers:
        opens.append(LocalModelServers(tmp_path / "proc", TRITON_PYTHON, objects, PACE))
        return opens[-1]

    yield again
    for servers in opens[:-1]:
        await servers.close()
    for server in await opens[-1].observe():
        await opens[-1].stop(server.key)
    await opens[-1].close()
    assert processes_of(tmp_path) == []


def processes_of(folder: Path) -> list[str]:
    """Return the command line of every Triton that runs in the folder or below."""
    found = [process.info for process in psutil.process_iter(["cmdline", "cwd"])]
    lines = [" ".join(each["cmdline"] or []) for each in found if (each["cwd"] or "").startswith(str(folder))]
    return [line for line in lines if "triton" in line]


@pytest.fixture(params=["fake", pytest.param("triton", marks=triton)])
def servers(request: pytest.FixtureRequest, objects: MemoryObjects, opened: Open) -> ModelServers:
    real = opened()
    return FakeModelServers(objects) if request.param == "fake" else real


# Every implementation


async def test_a_started_server_becomes_ready(servers: ModelServers, objects: MemoryObjects) -> None:
    spec = await stored(objects, repository())
    assert list(await servers.observe()) == []
    await servers.start(spec)
    assert [server.key for server in await servers.observe()] == [spec.key]
    assert (await ready(servers, spec)).address.startswith("127.0.0.1:")


async def test_starting_a_living_server_again_changes_nothing(servers: ModelServers, objects: MemoryObjects) -> None:
    spec = await stored(objects, repository())
    await asyncio.gather(servers.start(spec), servers.start(spec))
    first = await ready(servers, spec)
    await servers.start(spec)
    assert list(await servers.observe()) == [first]


async def test_bytes_that_are_not_the_digests_are_never_served(servers: ModelServers, objects: MemoryObjects) -> None:
    spec = await stored(objects, repository("double"))
    await stored(objects, repository("triple"))
    await servers.start(spec)
    seen = await failed(servers, spec)
    assert spec.digest in seen.reason
    assert seen.address == ""


async def test_a_model_without_bytes_fails(servers: ModelServers, objects: MemoryObjects) -> None:
    spec = replace(await stored(objects, repository()), storage_uri="s3://models/acme/fraud/none/")
    await servers.start(spec)
    assert "s3://models/acme/fraud/none/" in (await failed(servers, spec)).reason


async def test_a_stopped_server_is_gone(servers: ModelServers, objects: MemoryObjects) -> None:
    spec = await stored(objects, repository())
    await servers.start(spec)
    await ready(servers, spec)
    await servers.stop(spec.key)
    assert list(await servers.observe()) == []
    await servers.stop(spec.key)
    await servers.stop("acme--fraud.unknown.000000000000")


# Triton


@dataclass
class Tritons:
    """The real thing, with a look behind it."""

    servers: LocalModelServers
    again: Open
    objects: MemoryObjects
    proc_dir: Path

    async def serve(self, files: Mapping[str, bytes] | None = None, **more: str) -> ServerSpec:
        spec = await stored(self.objects, files or repository(), **more)
        await self.servers.start(spec)
        return spec

    def folder(self, spec: ServerSpec) -> Path:
        return self.proc_dir / f"serve-{spec.key}"

    def pid(self, spec: ServerSpec) -> ProcessIdentity:
        server = triton_process.running(self.folder(spec))
        assert server is not None
        return server.identity

    async def refused(self, files: Mapping[str, bytes]) -> str:
        """Return the reason for which a repository is not served."""
        return (await failed(self.servers, await self.serve(files))).reason


@pytest.fixture(params=[pytest.param("triton", marks=triton)])
def tritons(opened: Open, objects: MemoryObjects, tmp_path: Path) -> Tritons:
    return Tritons(opened(), opened, objects, tmp_path / "proc")


async def test_the_model_answers(tritons: Tritons) -> None:
    spec = await tritons.serve()
    address = (await ready(tritons.servers, spec)).address
    assert await infer(address, [1, 2, 3, 4], [5, 6, 7, 8]) == [2, 4, 6, 8, 10, 12, 14, 16]


async def test_texts_are_served(tritons: Tritons) -> None:
    spec = await tritons.serve(repository("text", TEXT_CONFIG))
    address = (await ready(tritons.servers, spec)).address
    body = {"inputs": [{"name": "s", "datatype": "BYTES", "shape": [2], "data": ["grüß", ""]}]}
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"http://{address}/v2/models/clf/infer", json=body)
    assert answer.json()["outputs"][0]["data"] == ["grüß", ""]


async def test_two_versions_are_served_side_by_side(tritons: Tritons) -> None:
    one, other = await tritons.serve(), await tritons.serve(repository("triple"), name="score-v2", place="clf2")
    addresses = [(await ready(tritons.servers, spec)).address for spec in (one, other)]
    assert [await infer(address, [1, 1, 1, 1]) for address in addresses] == [[2] * 4, [3] * 4]


async def test_the_server_listens_on_loopback_only_and_its_repository_is_shut(tritons: Tritons) -> None:
    spec = await tritons.serve()
    address = (await ready(tritons.servers, spec)).address
    process = psutil.Process(tritons.pid(spec).pid)
    listening = [each.laddr for each in process.net_connections("inet") if each.status == psutil.CONN_LISTEN]
    assert [f"{where.ip}:{where.port}" for where in listening] == [address]
    shut = ["repository/index", "repository/models/clf/load", "repository/models/clf/unload"]
    async with httpx.AsyncClient(base_url=f"http://{address}/v2/", trust_env=False) as client:
        statuses = [(await client.post(path, json={})).status_code for path in shut]
        statuses += [(await client.get(path)).status_code for path in ("logging", "trace/setting")]
        statuses.append((await client.get("systemsharedmemory/status")).status_code)
    assert set(statuses) == {httpx.codes.FORBIDDEN}


async def test_the_server_inherits_nothing(tritons: Tritons, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for models")
    spec = await tritons.serve()
    await ready(tritons.servers, spec)
    leader = psutil.Process(tritons.pid(spec).pid)
    for process in (leader, *leader.children()):
        assert "AWS_SECRET_ACCESS_KEY" not in process.environ()
        assert os.getsid(process.pid) == leader.pid


async def test_a_killed_server_comes_back_at_its_address(tritons: Tritons) -> None:
    spec = await tritons.serve()
    before = await ready(tritons.servers, spec)
    victim = tritons.pid(spec)
    os.kill(victim.pid, signal.SIGKILL)
    after = await until(
        tritons.servers, spec.key, lambda seen: seen.state is ServerState.READY and tritons.pid(spec) != victim
    )
    assert after.address == before.address
    assert await infer(after.address, [1, 1, 1, 1]) == [2] * 4
    assert not is_alive(victim)
    assert not psutil.pid_exists(victim.pid), "a zombie is left"


async def test_a_dead_server_is_not_shown_as_ready(tritons: Tritons) -> None:
    spec = await tritons.serve()
    await ready(tritons.servers, spec)
    victim = tritons.pid(spec)
    os.kill(victim.pid, signal.SIGKILL)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while is_alive(victim):
            await asyncio.sleep(0.005)
    (seen,) = await tritons.servers.observe()
    assert (seen.state, seen.address) == (ServerState.STARTING, "") or tritons.pid(spec) != victim
    assert f"pid {victim.pid}" in seen.reason or tritons.pid(spec) != victim


async def test_a_dead_stub_is_seen_and_healed(tritons: Tritons) -> None:
    spec = await tritons.serve()
    address = (await ready(tritons.servers, spec)).address
    leader = tritons.pid(spec)
    (stub,) = psutil.Process(leader.pid).children()
    stub.kill()
    await until(tritons.servers, spec.key, lambda seen: seen.state is ServerState.READY and tritons.pid(spec) != leader)
    assert await infer(address, [1, 1, 1, 1]) == [2] * 4


async def test_a_server_that_hangs_is_started_anew(tritons: Tritons, tmp_path: Path) -> None:
    impatient = LocalModelServers(tmp_path / "proc", TRITON_PYTHON, tritons.objects, replace(PACE, probe_timeout=0.5))
    spec = await stored(tritons.objects, repository())
    await impatient.start(spec)
    await ready(impatient, spec)
    leader = tritons.pid(spec)
    os.kill(leader.pid, signal.SIGSTOP)
    await until(impatient, spec.key, lambda seen: seen.state is ServerState.READY and tritons.pid(spec) != leader)
    assert not is_alive(leader)
    await impatient.close()


async def test_stopping_leaves_no_process_no_folder_no_shared_memory(tritons: Tritons) -> None:
    spec = await tritons.serve()
    await ready(tritons.servers, spec)
    assert processes_of(tritons.proc_dir)
    await tritons.servers.stop(spec.key)
    assert processes_of(tritons.proc_dir) == []
    assert list(tritons.proc_dir.iterdir()) == []
    assert list(Path("/dev/shm").glob(f"serve-{spec.key}*")) == []


@pytest.mark.triton
@pytest.mark.skipif(not TRITON_PYTHON.exists(), reason="no Triton environment: run `make setup`")
async def test_taking_the_platform_down_leaves_no_process_and_no_shared_memory(
    objects: MemoryObjects, tmp_path: Path
) -> None:
    layout = Layout(tmp_path)
    layout.create()
    servers = LocalModelServers(layout.processes, TRITON_PYTHON, objects, PACE)
    spec = await stored(objects, repository())
    await servers.start(spec)
    await ready(servers, spec)
    await servers.close()
    assert await end_children(layout) == [f"serve-{spec.key}"]
    assert processes_of(tmp_path) == []
    assert (
        list(Path("/dev/shm").glob(f"serve-{spec.key}-{(layout.processes / f'serve-{spec.key}').stat().st_ino}*")) == []
    )


async def test_stopping_a_starting_server_ends_it(tritons: Tritons) -> None:
    spec = await tritons.serve()
    await until(tritons.servers, spec.key, lambda seen: seen.address != "")
    await tritons.servers.stop(spec.key)
    assert processes_of(tritons.proc_dir) == []
    assert list(tritons.proc_dir.iterdir()) == []


async def test_the_next_process_finds_the_server_as_it_is(tritons: Tritons) -> None:
    spec = await tritons.serve()
    before = await ready(tritons.servers, spec)
    leader = tritons.pid(spec)
    await tritons.servers.close()
    successor = tritons.again()
    assert await ready(successor, spec) == before
    await successor.start(spec)
    assert tritons.pid(spec) == leader
    await successor.stop(spec.key)
    assert processes_of(tritons.proc_dir) == []


async def test_a_claim_cut_off_is_taken_up_by_the_next(tritons: Tritons) -> None:
    spec = await stored(tritons.objects, repository())
    folder = triton_process.claim(tritons.proc_dir, spec)
    (folder / "model.incoming").mkdir()
    (folder / "model.incoming" / "half").write_bytes(b"half")
    (folder / "model").mkdir()  # as a machine that lost power may leave it: the name, not the bytes
    await ready(tritons.servers, spec)


async def test_a_start_cut_off_before_its_note_leaves_no_second_server(tritons: Tritons) -> None:
    spec = await tritons.serve()
    await ready(tritons.servers, spec)
    await tritons.servers.close()
    (tritons.folder(spec) / "triton.json").unlink()
    (nobodys,) = [each for each in triton_process.strays(tritons.folder(spec)) if os.getpgid(each.pid) == each.pid]
    successor = tritons.again()
    await ready(successor, spec)
    assert tritons.pid(spec) != nobodys
    assert not is_alive(nobodys)


async def test_two_processes_at_once_start_one_server(tritons: Tritons) -> None:
    other = tritons.again()
    spec = await stored(tritons.objects, repository())
    await asyncio.gather(tritons.servers.start(spec), other.start(spec))
    one, two = await asyncio.gather(ready(tritons.servers, spec), ready(other, spec))
    assert one == two
    leaders = [each for each in triton_process.strays(tritons.folder(spec)) if os.getsid(each.pid) == each.pid]
    assert leaders == [tritons.pid(spec)]


async def test_bytes_changed_on_disk_are_fetched_anew(tritons: Tritons) -> None:
    spec = await tritons.serve()
    before = await ready(tritons.servers, spec)
    (tritons.folder(spec) / "model/clf/1/model.onnx").write_bytes((MODELS / "triple.onnx").read_bytes())
    victim = tritons.pid(spec)
    os.kill(victim.pid, signal.SIGKILL)
    await until(tritons.servers, spec.key, lambda seen: seen.state is ServerState.READY and tritons.pid(spec) != victim)
    assert await infer(before.address, [1, 1, 1, 1]) == [2] * 4


async def test_restored_bytes_are_served_without_a_word(tritons: Tritons) -> None:
    spec = await stored(tritons.objects, repository("double"))
    await stored(tritons.objects, repository("triple"))
    await tritons.servers.start(spec)
    reason = (await failed(tritons.servers, spec)).reason
    assert hashlib.sha256((MODELS / "triple.onnx").read_bytes()).hexdigest() in reason
    assert "clf/1/model.onnx" in reason
    await stored(tritons.objects, repository("double"))
    await ready(tritons.servers, spec)


async def test_the_same_bytes_from_another_place_are_another_server(tritons: Tritons) -> None:
    spec = await tritons.serve()
    await ready(tritons.servers, spec)
    leader = tritons.pid(spec)
    moved = await stored(tritons.objects, repository(), place="elsewhere")
    assert moved.key == spec.key
    await tritons.servers.start(moved)
    await ready(tritons.servers, moved)
    assert tritons.pid(moved) != leader
    assert not is_alive(leader)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (repository(config=CONFIG.replace("onnxruntime_onnx", "python").replace("platform", "backend")), "python"),
        (
            repository(config=CONFIG.replace('"onnxruntime_onnx"', r'"onnx\162untime_onnx" backend: "py" "thon"')),
            "code",
        ),
        (repository() | {"clf/1/model.py": b"class TritonPythonModel: ..."}, "clf/1/model.py is code"),
        (repository() | {"clf/libtriton_onnxruntime.so": b"\x7fELF"}, "is code"),
        (repository() | {"other/config.pbtxt": CONFIG.encode()}, "one folder"),
        (repository(config=CONFIG + 'runtime: "x.py"'), "runtime"),
        (
            repository(config=CONFIG + 'parameters { key: "EXECUTION_ENV_PATH" value { string_value: "/tmp/x.tar" } }'),
            "EXECUTION_ENV_PATH",
        ),
        (repository(config=CONFIG + 'name: "other"'), "name"),
        (repository(config='platform: "onnxruntime_onnx"'), "every input and output"),
        (repository(config="platform: {"), "no Triton model configuration"),
        ({"clf/1/model.onnx": b""}, "has no clf/config.pbtxt"),
    ],
    ids=["python", "spelled", "file", "library", "two", "runtime", "environment", "name", "short", "syntax", "none"],
)
async def test_models_that_bring_code_or_contradict_themselves_are_refused(
    tritons: Tritons, files: dict[str, bytes], says: str
) -> None:
    assert says in await tritons.refused(files)
    assert processes_of(tritons.proc_dir) == []


async def test_a_model_triton_cannot_load_says_why(tritons: Tritons) -> None:
    spec = await tritons.serve(repository() | {"clf/1/model.onnx": b"no model"})
    seen = await failed(tritons.servers, spec)
    assert "load failed for model 'clf'" in seen.reason


async def test_a_machine_without_triton_says_what_to_do(tritons: Tritons, tmp_path: Path) -> None:
    bare = LocalModelServers(tmp_path / "proc", tmp_path / "none" / "python", tritons.objects, PACE)
    spec = await stored(tritons.objects, repository())
    await bare.start(spec)
    assert "make setup" in (await failed(bare, spec)).reason
    await bare.close()


class Unreachable(MemoryObjects):
    """Object storage that is away until told otherwise."""

    away = True

    async def list(self, bucket: str, prefix: str) -> tuple[ObjectInfo, ...]:
        if self.away:
            raise Waiting("object storage is away", after=0.05)
        return await super().list(bucket, prefix)


@pytest.mark.triton
@pytest.mark.skipif(not TRITON_PYTHON.exists(), reason="no Triton environment: run `make setup`")
async def test_storage_that_is_away_is_waited_for(tmp_path: Path) -> None:
    objects = Unreachable()
    servers = LocalModelServers(tmp_path / "proc", TRITON_PYTHON, objects, PACE)
    spec = await stored(objects, repository())
    await servers.start(spec)
    seen = await until(servers, spec.key, lambda seen: "away" in seen.reason)
    assert seen.state is ServerState.STARTING
    objects.away = False
    await ready(servers, spec)
    await servers.stop(spec.key)
    await servers.close()


async def test_what_is_noted_of_a_server_is_complete(tritons: Tritons) -> None:
    spec = await tritons.serve()
    address = (await ready(tritons.servers, spec)).address
    note = json.loads((tritons.folder(spec) / "triton.json").read_text())
    assert note == {
        "pid": tritons.pid(spec).pid,
        "start_time": tritons.pid(spec).start_time,
        "port": int(address.rpartition(":")[2]),
        "shared_memory": f"serve-{spec.key}-{tritons.folder(spec).stat().st_ino}-",
    }
    assert list(Path("/dev/shm").glob(f"{note['shared_memory']}*"))
    assert identity_of(note["pid"]) == tritons.pid(spec)
    assert tritons.folder(spec).stat().st_mode & 0o777 == 0o700
