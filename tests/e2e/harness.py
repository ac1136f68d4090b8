"""A whole platform in a folder of its own, and what a person or a fault does to it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import git
import httpx
import nats
from obstore.store import S3Store

from reconciler.process_identity import ProcessIdentity, identity_of, is_alive
from reconciler.services.layout import Layout
from reconciler.services.lock import supervisor_of
from reconciler.services.logs import last_lines
from reconciler.services.settings import Settings, port_is_free
from reconciler.services.status import PartStatus, PlatformStatus, collect

T = TypeVar("T")

CHECKOUT = Path(__file__).resolve().parents[2]
SEEDED = ("platform", "tenants", "templates")
TEST_TEMPLATES = CHECKOUT / "tests" / "fixtures" / "templates"
ORDAIN = (sys.executable, "-m", "api.main")
BASE_DOMAIN = "ml.localhost"
PARTS = ("postgres", "nats", "s3", "envoy", "api", "writer", "reconciler")
COMMAND_SECONDS = 120.0
WAIT_SECONDS = 60.0
POLL_SECONDS = 0.05
LOG_LINES = 15


def until(condition: Callable[[], T], what: str, seconds: float = WAIT_SECONDS) -> T:
    """Return the condition's value once that is true; fails after `seconds`, saying what it last was."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for: {what}; last seen: {value!r}"
        time.sleep(POLL_SECONDS)
    return value


class RunningPlatform:
    """The platform at `root`, driven by its own command line."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.layout = Layout(root)

    @classmethod
    def seeded_at(cls, root: Path) -> RunningPlatform:
        """Lay out a root as a checkout has it, with the templates of the tests."""
        for name in SEEDED:
            shutil.copytree(CHECKOUT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        for template in TEST_TEMPLATES.iterdir():
            shutil.copytree(template, root / "templates" / template.name, ignore=shutil.ignore_patterns("__pycache__"))
        return cls(root)

    def ordain(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command line on this root."""
        command = [*ORDAIN, *words, "--root", str(self.root)]
        return subprocess.run(
            command, cwd=CHECKOUT, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )

    def up(self) -> str:
        """Start everything and return what the command said."""
        done = self.ordain("up", "--detach")
        assert done.returncode == 0, done.stdout + done.stderr + self.logs()
        return done.stdout

    def down(self) -> None:
        """Stop everything; nothing of it may be left."""
        done = self.ordain("down")
        assert done.returncode == 0, done.stdout + done.stderr
        assert self.leftovers() == []

    @property
    def settings(self) -> Settings:
        return Settings.load(self.layout)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.settings.edge_port}"

    @property
    def repository(self) -> git.Repo:
        return git.Repo(self.layout.repository)

    def status(self) -> PlatformStatus:
        return collect(self.layout)

    def part(self, name: str) -> PartStatus:
        return next(part for part in self.status().parts if part.name == name)

    def kill(self, name: str) -> Callable[[], bool]:
        """End a part by SIGKILL; return what says whether it came back."""
        before = self.part(name)
        os.kill(before.pid, signal.SIGKILL)

        def came_back() -> bool:
            seen = self.part(name)
            return seen.restarts > before.restarts and seen.health == "ready"

        return came_back

    def kill_and_wait(self, *names: str) -> None:
        """End parts by SIGKILL and wait until the supervisor has each at work again."""
        returns = {name: self.kill(name) for name in names}
        for name, came_back in returns.items():
            until(came_back, f"{name} to come back")

    def kill_supervisor(self) -> None:
        supervisor = supervisor_of(self.layout)
        assert supervisor is not None
        os.kill(supervisor.pid, signal.SIGKILL)
        until(lambda: supervisor_of(self.layout) is None, "the supervisor's lock to be free")

    def tenant(self, name: str, person: str = "") -> Tenant:
        """Return a tenant's way in; without a name, that of the platform's admins."""
        return Tenant(self, name, person)

    def bucket(self, name: str) -> S3Store:
        settings = self.settings
        return S3Store(
            name,
            endpoint=settings.s3_endpoint,
            access_key_id=settings.s3_access_key,
            secret_access_key=settings.s3_secret_key,
            region="us-east-1",
            client_options={"allow_http": True},
        )

    def objects(self, bucket: str, prefix: str) -> dict[str, bytes]:
        """Return the objects below a prefix, by the rest of their keys."""
        store = self.bucket(bucket)
        keys = [str(item["path"]) for batch in store.list(prefix) for item in batch]
        return {key.removeprefix(prefix): bytes(store.get(key).bytes()) for key in keys}

    def logs(self) -> str:
        """Return the end of every log of the platform."""
        return "\n".join(f"== {name}\n{text}" for name, text in self.log_tails().items())

    def log_tails(self) -> Mapping[str, str]:
        files = [*self.layout.logs.glob("*.log"), *self.layout.processes.glob("*/*.log")]
        return {str(file.relative_to(self.layout.state)): "\n".join(last_lines(file, LOG_LINES)) for file in files}

    def leftovers(self) -> list[str]:
        """Return what of a stopped platform is still there: processes, and ports somebody listens on."""
        processes = [f"{pid}: {words}" for pid, words in _processes_naming(str(self.root))]
        ports = [port for port in vars(self.settings.ports).values() if not port_is_free(port)]
        return [*processes, *(f"port {port}" for port in ports)]


def _processes_naming(text: str) -> Iterator[tuple[int, str]]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            where = str((entry / "cwd").readlink())
        except OSError:
            continue
        # Tritons name nothing but where they run; GitPython's helpers of this very test run in the repository.
        if text in words or (where.startswith(text) and "triton" in words):
            yield int(entry.name), words


@dataclass(frozen=True)
class Tenant:
    """What a person of one tenant does, as HTTP requests through the edge; a named one through the API's own socket."""

    platform: RunningPlatform
    name: str
    person: str = ""

    @property
    def host(self) -> str:
        return f"{self.name}.{BASE_DOMAIN}" if self.name else BASE_DOMAIN

    def client(self, **headers: str) -> httpx.Client:
        """Return a client that talks under the tenant's host; without a tenant, under the bare one."""
        socket = str(self.platform.layout.api_socket) if self.person else None
        named = {"x-forwarded-user": self.person} if self.person else {}
        return httpx.Client(
            base_url=self.platform.address,
            headers={"host": self.host, **named, **headers},
            transport=httpx.HTTPTransport(uds=socket),
            timeout=40,
            trust_env=False,
        )

    def request(self, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        """Send one request; a body goes as JSON."""
        with self.client(**headers) as client:
            return client.request(method, path, json=body) if body is not None else client.request(method, path)

    def get(self, path: str) -> Any:
        """Return the JSON of a resource that must be there."""
        answer = self.request("GET", path)
        assert answer.status_code == httpx.codes.OK, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def write(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Send a write and wait for its commit."""
        answer = self.request(method, f"{path}?wait=30", body)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        document: dict[str, Any] = answer.json()
        assert document["commit"], f"{path}: {document}"
        return document

    def start_run(self, template: str, name: str, *, model: str = "", **params: object) -> dict[str, Any]:
        """Ask for a run and return the committed answer."""
        body: dict[str, Any] = {"template_id": template, "params": params, "name": name}
        if model:
            body["register"] = {"model": model, "output": "model"}
        return self.write("POST", "/api/v1/runs", body)

    def run(self, name: str) -> dict[str, Any]:
        document: dict[str, Any] = self.get(f"/api/v1/runs/{name}")
        return document

    def finished(self, name: str) -> dict[str, Any]:
        """Return the run once it has ended, however it ended."""

        def ended() -> dict[str, Any] | None:
            run = self.run(name)
            return run if run["state"] in {"succeeded", "failed", "cancelled"} else None

        found = until(ended, f"run {name} to end", 120)
        assert found is not None
        return found

    def succeeded(self, name: str) -> dict[str, Any]:
        run = self.finished(name)
        assert run["state"] == "succeeded", f"{run['state']}: {run['reason']}"
        return run

    def make_scaler(self, model: str, factor: float) -> str:
        """Register a version of a model that multiplies; return its reference."""
        name = f"{model}-{str(factor).replace('.', '-')}"
        self.start_run("scales@1.0.0", name, model=model, factor=factor)
        reference: str = self.succeeded(name)["model"]
        return reference

    def deploy(self, name: str, version: str, model: str) -> dict[str, Any]:
        """Ask for one version to be served."""
        body = {"runtime": "triton", "traffic": {"replace": {}}, "versions": [{"name": version, "model": model}]}
        return self.write("PUT", f"/api/v1/deployments/{name}", body)

    def deployment(self, name: str) -> dict[str, Any]:
        document: dict[str, Any] = self.get(f"/api/v1/deployments/{name}")
        return document

    def settled(self, name: str, version: str, seconds: float = WAIT_SECONDS) -> dict[str, Any]:
        """Return the deployment once that version alone is live and ready."""

        def served() -> dict[str, Any] | None:
            found = self.deployment(name)
            live = [(each["name"], each["weight"]) for each in found["served"]]
            return found if found["ready"] and live == [(version, 100)] else None

        found = until(served, f"{name} to serve {version} alone", seconds)
        assert found is not None
        return found

    def infer(self, deployment: str, model: str, inputs: Sequence[Mapping[str, Any]]) -> httpx.Response:
        """Send one inference through the edge."""
        return self.request("POST", self.infer_path(deployment, model), {"inputs": list(inputs)})

    def infer_path(self, deployment: str, model: str) -> str:
        project = {"acme": "fraud", "globex": "churn"}[self.name]
        return f"/serve/{project}/{deployment}/v2/models/{model}/infer"

    def scaled(self, deployment: str, model: str) -> float:
        """Return by how much the served version of a scaler multiplies."""
        answer = self.infer(deployment, model, [ONES])
        assert answer.status_code == httpx.codes.OK, f"{answer.status_code} {answer.text}"
        return float(answer.json()["outputs"][0]["data"][0])


ONES = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1.0, 1.0, 1.0, 1.0]}


def events_on_stream(settings: Settings, subject: str, enough: Callable[[list[dict[str, Any]]], bool]) -> Any:
    """Return the events of a subject, from the first on, as a NATS subscriber gets them, once they are enough."""
    return asyncio.run(_events_on_stream(settings, subject, enough))


async def _events_on_stream(
    settings: Settings, subject: str, enough: Callable[[list[dict[str, Any]]], bool]
) -> list[dict[str, Any]]:
    client = await nats.connect(settings.nats_url, allow_reconnect=False)
    seen: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            subscription = await client.jetstream().subscribe(subject, ordered_consumer=True)
            while not enough(seen):
                message = await subscription.next_msg(timeout=WAIT_SECONDS)
                marks = {"subject": message.subject, "message_id": (message.headers or {}).get("Nats-Msg-Id")}
                seen.append(json.loads(message.data) | marks)
    finally:
        await client.close()
    return seen


def alive(pid: int) -> ProcessIdentity | None:
    """Return who has a pid now."""
    return identity_of(pid)


def gone(process: ProcessIdentity) -> bool:
    return not is_alive(process)
