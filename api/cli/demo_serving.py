"""The demo's deployment: put, waited for, asked by inferences, and rolled back."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from threading import Event, Thread
from types import TracebackType
from typing import Self
from uuid import uuid4

from pydantic import JsonValue

from api.cli.demo_steps import Demo, DemoFailure
from api.cli.demo_training import ASKING, Trained
from api.client import Client, ClientError, NotFound, Written
from api.client.deployments import Tensor
from api.client.views import Deployment, Rollout

PROJECT, DEPLOYMENT = "fraud", "fraud"
PATH = f"/api/v1/deployments/{DEPLOYMENT}"
INFER = f"/serve/{PROJECT}/{DEPLOYMENT}/v2/models/{DEPLOYMENT}/infer"
LOGS = ".ordain/logs/reconciler.log, and the server's own log below .ordain/proc/"
SETTLE_SECONDS = 120.0
"""A version loads in about 3 s; a machine that trains at the same time takes longer."""
TOLERANCE = 1e-5
"""The served model is the very file the training run asked: both answer in single precision."""
PACE_SECONDS = 0.05

Predictions = Sequence[Sequence[float]]


def version_name(client: Client, model: str) -> str:
    """Return a free version name: `v` and the model's number, unless that name serves another model."""
    taken = dict(_served_models(client))
    number = model.rpartition("@")[2]
    names = (f"v{number}", *(f"v{number}-{letter}" for letter in "abcdef"))
    for name in names:
        if taken.get(name, model) == model:
            return name
    raise DemoFailure(f"{names} all serve other models of {DEPLOYMENT}: {taken}", f"GET {PATH}")


def _served_models(client: Client) -> Iterator[tuple[str, str]]:
    try:
        deployment = client.deployments.get(DEPLOYMENT)
    except NotFound:
        return
    rollout = deployment.rollout or Rollout()
    for version in (*deployment.spec.versions, *rollout.live, *rollout.last_good):
        yield version.name, version.model


def deploy(demo: Demo, model: str, version: str) -> str:
    """Ask for `version` to replace whatever is served; return the commit."""
    versions: list[JsonValue] = [{"name": version, "model": model}]
    spec: dict[str, JsonValue] = {"runtime": "triton", "versions": versions, "traffic": {"replace": {}}}
    return _committed(demo, f"deploy {version}", demo.client.deployments.put(DEPLOYMENT, spec, asking=ASKING))


def roll_back(demo: Demo, reason: str) -> str:
    """Go back to what was last good, and hold there; return the commit."""
    return _committed(demo, "roll back", demo.client.deployments.roll_back(DEPLOYMENT, reason, asking=ASKING))


def _committed(demo: Demo, what: str, written: Written) -> str:
    if not written.commit:
        raise DemoFailure(f"{what}: not committed within 30 s", ".ordain/logs/writer.log")
    demo.say(f"{what}: commit {written.commit[:12]}")
    return written.commit


def settled_on(demo: Demo, version: str, *, held: bool = False) -> None:
    """Wait until `version` alone is live and ready for the deployment as it is now, printing each step."""
    said: list[str] = []

    def settled() -> bool | None:
        deployment = demo.client.deployments.get(DEPLOYMENT)
        line = _traffic_line(deployment)
        if line and line not in said[-1:]:
            said.append(line)
            demo.say(line)
        return is_settled(deployment, version, held=held) or None

    def late() -> DemoFailure:
        what = f"{DEPLOYMENT} did not settle on {version} within {SETTLE_SECONDS:.0f} s; last seen: {said[-1:]}"
        return DemoFailure(what, LOGS)

    demo.until(settled, SETTLE_SECONDS, late)


def is_settled(deployment: Deployment, version: str, *, held: bool) -> bool:
    """Whether the deployment has arrived at this version, and stands there by a hold or without one."""
    rollout = deployment.rollout
    if not deployment.ready or rollout is None or bool(rollout.hold) is not held:
        return False
    return [each.name for each in rollout.live] == [version]


def _traffic_line(deployment: Deployment) -> str:
    parts = (
        f"{each.name} {each.weight} % {each.state}" + (f" ({each.reason})" if each.state == "failed" else "")
        for each in deployment.served
    )
    return ", ".join(parts)


def infer(client: Client, rows: Predictions, request: str = "") -> list[list[float]]:
    """Return the probabilities of each class for each row, by the V2 protocol."""
    data = tuple(value for row in rows for value in row)
    tensor = Tensor(name="input", shape=(len(rows), len(rows[0])), datatype="FP32", data=data)
    answer = client.deployments.infer(INFER, [tensor], ["probabilities"], request=request or str(uuid4()))
    found = answer.output("probabilities")
    width, values = found.shape[-1], [float(value) for value in found.data]
    return [values[at : at + width] for at in range(0, len(values), width)]


def difference(answers: Predictions, expected: Predictions) -> float:
    """Return the largest difference between two lists of rows; infinite where they have other shapes."""
    if [len(row) for row in answers] != [len(row) for row in expected]:
        return float("inf")
    pairs = ((a, b) for left, right in zip(answers, expected, strict=True) for a, b in zip(left, right, strict=True))
    return max((abs(a - b) for a, b in pairs), default=0.0)


def check_answers(demo: Demo, trained: Trained, version: str) -> tuple[str, float]:
    """Ask for every held-out row and compare; return the id of the inference and when it was answered."""
    request, began = str(uuid4()), time.monotonic()
    answers = infer(demo.client, trained.rows, request)
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
        self._over = Event()
        self._thread = Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def report(self) -> None:
        """Say how many were answered by whom; raises DemoFailure where one failed or answered wrongly."""
        total = sum(self.answered.values()) + len(self.failures)
        if self.failures or not total:
            what = f"{len(self.failures)} of {total} inferences failed meanwhile; the first: {self.failures[:1]}"
            raise DemoFailure(what, f".ordain/logs/envoy.log and {LOGS}")
        by = ", ".join(f"{number} by {version}" for version, number in self.answered.items())
        self._demo.say(f"{total} inferences meanwhile, none failed: {by}")

    def _run(self) -> None:
        for at in count():
            if self._over.wait(PACE_SECONDS):
                return
            self._ask(at % len(self._rows))

    def _ask(self, row: int) -> None:
        try:
            answer = infer(self._demo.client, [self._rows[row]])
        except ClientError as error:
            self.failures.append(str(error))
            return
        distance = {version: difference(answer, [rows[row]]) for version, rows in self._known.items()}
        nearest = min(distance, key=distance.__getitem__)
        if distance[nearest] <= TOLERANCE:
            self.answered[nearest] += 1
        else:
            self.failures.append(f"row {row} was answered {answer}, which no version in question predicted")
