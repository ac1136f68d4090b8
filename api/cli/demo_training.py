"""The demo's training runs: started, followed task by task, and what they predicted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from api.cli.demo_steps import Demo, DemoFailure
from api.client import Asking, Client, NotFound
from api.client.views import Run, Task

TEMPLATE = "train-classifier@1.0.0"
MODEL = "fraud"
RUN_SECONDS = 180.0
"""Two at once take about 20 s on two cores."""
LOG_LINES = 15
ASKING = Asking(wait=30)


@dataclass(frozen=True)
class Trained:
    """A finished training run: the model it registered, the held-out rows and what it predicted for them."""

    name: str
    uid: str
    commit: str
    model: str
    digest: str
    rows: list[list[float]]
    predictions: list[list[float]]


def start_training(demo: Demo, label: str, parameters: Mapping[str, float]) -> str:
    """Ask for a run and return its name as soon as the request is committed."""
    started = demo.client.runs.start(TEMPLATE, parameters, register={"model": MODEL}, asking=ASKING)
    if not started.commit:
        raise DemoFailure(f"run {started.name} was not committed within 30 s", ".ordain/logs/writer.log")
    said = ", ".join(f"{name} {value}" for name, value in parameters.items())
    demo.say(f"{label:7}{started.name}  commit {started.commit[:12]}  {said}")
    return started.name


def follow(demo: Demo, label: str, name: str) -> Trained:
    """Print the tasks of a run as they finish; return what it trained once it has succeeded."""
    shown: set[str] = set()

    def finished() -> Run | None:
        run = demo.client.runs.get(name)
        for task in run.tasks:
            if task.finished_at and task.name not in shown:
                shown.add(task.name)
                demo.say(f"{label:7}{_task_line(task)}")
        return run if run.finished_at else None

    def late() -> DemoFailure:
        what = f"run {name} did not finish within {RUN_SECONDS:.0f} s; finished tasks: {sorted(shown)}"
        return DemoFailure(what, f"/runs/{name} on {demo.client.address.host}, and .ordain/logs/reconciler.log")

    run = demo.until(finished, RUN_SECONDS, late)
    if run.state != "succeeded":
        raise _failed(demo.client, run)
    demo.say(f"{label:7}succeeded: registered {run.model}")
    return _trained(demo.client, run)


def _task_line(task: Task) -> str:
    began, ended = task.started_at or task.finished_at, task.finished_at
    took = (ended - began).total_seconds() if began and ended else 0.0
    metrics = "  ".join(f"{name} {_rounded(value)}" for name, value in task.metrics.items())
    return f"{task.name:10}{task.state:11}{took:5.1f} s  {metrics}".rstrip()


def _rounded(metric: float | str) -> str:
    """Write a metric; one that is no finite number comes as a word."""
    return metric if isinstance(metric, str) else f"{metric:.4g}"


def _failed(client: Client, run: Run) -> DemoFailure:
    """Return the failure of a run with the end of its failed task's log."""
    task = next((each.name for each in run.tasks if each.state == "failed"), None)
    what = f"run {run.name} {run.state}: {run.reason}"
    if task is None:
        return DemoFailure(what, ".ordain/logs/reconciler.log")
    log = client.runs.log(run.name, task).rstrip().splitlines()[-LOG_LINES:]
    where = f"/api/v1/runs/{run.name}/logs?task={task} on {client.address.host}"
    return DemoFailure("\n    ".join([what, *log]), where)


def _trained(client: Client, run: Run) -> Trained:
    registered = next((each for each in client.models.versions(MODEL) if each.id == run.model), None)
    if registered is None:
        what = f"run {run.name} says it registered {run.model}, the registry has none"
        raise DemoFailure(what, "GET /api/v1/models")
    rows, predictions = predictions_of(client, run.name)
    return Trained(run.name, str(run.uid), run.commit, run.model, registered.digest, rows, predictions)


def predictions_of(client: Client, run: str) -> tuple[list[list[float]], list[list[float]]]:
    """Return the held-out rows and the probabilities the training run gave them: its task `evaluate` wrote both."""
    try:
        found = json.loads(client.runs.artifact(run, "evaluate", "predictions"))
    except NotFound as missing:
        raise DemoFailure(f"run {run} left no predictions: {missing}", ".ordain/logs/reconciler.log") from missing
    return found["rows"], found["probabilities"]
