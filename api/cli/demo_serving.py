"""The demo's deployment: put, waited for, asked by inferences, and rolled back."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from api.cli.client import ApiProblem, Client
from api.cli.demo_steps import Demo, DemoFailure, until
from api.cli.demo_training import Trained

PROJECT, DEPLOYMENT = "fraud", "fraud"
PATH = f"/api/v1/deployments/{DEPLOYMENT}"
LOGS = ".ordain/logs/reconciler.log, and the server's own log below .ordain/proc/"
SETTLE_SECONDS = 120.0
"""A version loads in about 3 s; a machine that trains at the same time takes longer."""
TOLERANCE = 1e-5
"""The served model is the very file the training run asked: both answer in single precision."""
PACE_SECONDS = 0.05

Predictions = Sequence[Sequence[float]]


async def version_name(client: Client, model: str) -> str:
    """Return a free version name: `v` and the model's number, unless that name serves another model."""
    view = await client.find(PATH)
    taken = dict(_served_models(view)) if view else {}
    number = model.rpartition("@")[2]
    names = (f"v{number}", *(f"v{number}-{letter}" for letter in "abcdef"))
    for name in names:
        if taken.get(name, model) == model:
            return name
    raise DemoFailure(f"{names} all serve other models of {DEPLOYMENT}: {taken}", f"GET {PATH}")


def _served_models(view: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    rollout = view["rollout"] or {}
    for version in (*view["spec"]["versions"], *rollout.get("live", ()), *rollout.get("lastGood", ())):
        yield version["name"], version["model"]


async def deploy(demo: Demo, model: str, version: str) -> str:
    """Ask for `version` to replace whatever is served; return the commit."""
    spec = {
        "runtime": "triton",
        "versions": [{"name": version, "model": model}],
        "traffic": {"replace": {}},
    }
    return _committed(demo, f"deploy {version}", await demo.client.put(PATH, spec, wait=30))


async def roll_back(demo: Demo, reason: str) -> str:
    """Go back to what was last good, and hold there; return the commit."""
    answer = await demo.client.post(f"{PATH}:rollback", {"reason": reason}, wait=30)
    return _committed(demo, "roll back", answer)


def _committed(demo: Demo, what: str, answer: Mapping[str, Any]) -> str:
    if not answer["commit"]:
        raise DemoFailure(f"{what}: not committed within 30 s", ".ordain/logs/writer.log")
    demo.say(f"{what}: commit {answer['commit'][:12]}")
    return str(answer["commit"])


async def settled_on(demo: Demo, version: str, *, held: bool = False) -> None:
    """Wait until `version` alone is live and ready for the deployment as it is now, printing each step."""
    said: list[str] = []

    async def settled() -> bool | None:
        view = await demo.client.get(PATH)
        line = _traffic_line(view)
        if line and line not in said[-1:]:
            said.append(line)
            demo.say(line)
        return is_settled(view, version, held=held) or None

    def late() -> DemoFailure:
        what = f"{DEPLOYMENT} did not settle on {version} within {SETTLE_SECONDS:.0f} s; last seen: {said[-1:]}"
        return DemoFailure(what, LOGS)

    await until(settled, SETTLE_SECONDS, late)


def is_settled(view: Mapping[str, Any], version: str, *, held: bool) -> bool:
    """Whether the deployment has arrived at this version, and stands there by a hold or without one."""
    rollout = view["rollout"]
    if not view["ready"] or bool(rollout.get("hold")) is not held:
        return False
    return [each["name"] for each in rollout["live"]] == [version]


def _traffic_line(view: Mapping[str, Any]) -> str:
    parts = (
        f"{each['name']} {each['weight']} % {each['state']}"
        + (f" ({each['reason']})" if each["state"] == "failed" else "")
        for each in view["served"]
    )
    return ", ".join(parts)


async def infer(client: Client, rows: Predictions, request: str = "") -> list[list[float]]:
    """Return the probabilities of each class for each row, by the V2 protocol."""
    tensor = {
        "name": "input",
        "shape": [len(rows), len(rows[0])],
        "datatype": "FP32",
        "data": [value for row in rows for value in row],
    }
    body = {"id": request or str(uuid4()), "inputs": [tensor], "outputs": [{"name": "probabilities"}]}
    answer = await client.post(_inference_path(), body)
    found = next(each for each in answer["outputs"] if each["name"] == "probabilities")
    width = found["shape"][-1]
    return [found["data"][at : at + width] for at in range(0, len(found["data"]), width)]


def _inference_path() -> str:
    return f"/serve/{PROJECT}/{DEPLOYMENT}/v2/models/{DEPLOYMENT}/infer"


def difference(answers: Predictions, expected: Predictions) -> float:
    """Return the largest difference between two lists of rows; infinite where they have other shapes."""
    if [len(row) for row in answers] != [len(row) for row in expected]:
        return float("inf")
    pairs = ((a, b) for left, right in zip(answers, expected, strict=True) for a, b in zip(left, right, strict=True))
    return max((abs(a - b) for a, b in pairs), default=0.0)


async def check_answers(demo: Demo, trained: Trained, version: str) -> tuple[str, float]:
    """Ask for every held-out row and compare; return the id of the inference and when it was answered."""
    request, began = str(uuid4()), time.monotonic()
    answers = await infer(demo.client, trained.rows, request)
    answered_at, took = time.time(), time.monotonic() - began
    worst = difference(answers, trained.predictions)
    if worst > TOLERANCE:
        what = f"{version} differs from its training run by {worst:.1e} in a probability, over {len(answers)} rows"
        raise DemoFailure(what, f"{LOGS}; training run {trained.name}")
    demo.say(
        f"{version} answered {len(answers)} rows in {took * 1000:.0f} ms as its training run did"
        f" (largest difference {worst:.0e})"
    )
    return request, answered_at


class Trickle:
    """Inferences of one row at a steady pace while something changes; each must be answered as a known version does.

    `known` has, by version name, what each may predict for the held-out rows.
    """

    def __init__(self, demo: Demo, rows: Predictions, known: Mapping[str, Predictions]) -> None:
        """Prepare; enter to begin."""
        self._demo, self._rows, self._known = demo, rows, known
        self.answered: Counter[str] = Counter()
        self.failures: list[str] = []
        self._over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._task is not None:
            await self._task

    def report(self) -> None:
        """Say how many were answered by whom; raises DemoFailure where one failed or answered wrongly."""
        total = sum(self.answered.values()) + len(self.failures)
        if self.failures or not total:
            what = f"{len(self.failures)} of {total} inferences failed meanwhile; the first: {self.failures[:1]}"
            raise DemoFailure(what, f".ordain/logs/envoy.log and {LOGS}")
        by = ", ".join(f"{number} by {version}" for version, number in self.answered.items())
        self._demo.say(f"{total} inferences meanwhile, none failed: {by}")

    async def _run(self) -> None:
        for at in count():
            if self._over.is_set():
                return
            await self._ask(at % len(self._rows))
            await asyncio.sleep(PACE_SECONDS)

    async def _ask(self, row: int) -> None:
        try:
            answer = await infer(self._demo.client, [self._rows[row]])
        except ApiProblem as problem:
            self.failures.append(str(problem))
            return
        distance = {version: difference(answer, [rows[row]]) for version, rows in self._known.items()}
        nearest = min(distance, key=distance.__getitem__)
        if distance[nearest] <= TOLERANCE:
            self.answered[nearest] += 1
        else:
            self.failures.append(f"row {row} was answered {answer}, which no version in question predicted")
