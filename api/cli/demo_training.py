"""The demo's training runs: started, followed task by task, and what they predicted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.cli.client import ApiProblem, Client
from api.cli.demo_steps import Demo, DemoFailure, until

TEMPLATE = "train-classifier@1.0.0"
MODEL = "fraud"
RUN_SECONDS = 180.0
"""Two at once take about 20 s on two cores."""
LOG_LINES = 15


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


async def start_training(demo: Demo, label: str, parameters: Mapping[str, float]) -> str:
    """Ask for a run and return its name as soon as the request is committed."""
    body = {"template_id": TEMPLATE, "params": dict(parameters), "register": {"model": MODEL}}
    answer = await demo.client.post("/api/v1/runs", body, wait=30)
    if not answer["commit"]:
        raise DemoFailure(f"run {answer['name']} was not committed within 30 s", ".ordain/logs/writer.log")
    said = ", ".join(f"{name} {value}" for name, value in parameters.items())
    demo.say(f"{label:7}{answer['name']}  commit {answer['commit'][:12]}  {said}")
    return str(answer["name"])


async def follow(demo: Demo, label: str, name: str) -> Trained:
    """Print the tasks of a run as they finish; return what it trained once it has succeeded."""
    shown: set[str] = set()

    async def finished() -> dict[str, Any] | None:
        run: dict[str, Any] = await demo.client.get(f"/api/v1/runs/{name}")
        for task in run["tasks"]:
            if task["finished_at"] and task["name"] not in shown:
                shown.add(task["name"])
                demo.say(f"{label:7}{_task_line(task)}")
        return run if run["finished_at"] else None

    def late() -> DemoFailure:
        what = f"run {name} did not finish within {RUN_SECONDS:.0f} s; finished tasks: {sorted(shown)}"
        return DemoFailure(what, f"/runs/{name} on {demo.client.host}, and .ordain/logs/reconciler.log")

    run = await until(finished, RUN_SECONDS, late)
    if run["state"] != "succeeded":
        raise await _failed(demo.client, run)
    demo.say(f"{label:7}succeeded: registered {run['model']}")
    return await _trained(demo.client, run)


def _task_line(task: Mapping[str, Any]) -> str:
    took = datetime.fromisoformat(task["finished_at"]) - datetime.fromisoformat(
        task["started_at"] or task["finished_at"]
    )
    metrics = "  ".join(f"{name} {_rounded(value)}" for name, value in task["metrics"].items())
    return f"{task['name']:10}{task['state']:11}{took.total_seconds():5.1f} s  {metrics}".rstrip()


def _rounded(metric: float | str) -> str:
    """Write a metric; one that is no finite number comes as a word."""
    return metric if isinstance(metric, str) else f"{metric:.4g}"


async def _failed(client: Client, run: Mapping[str, Any]) -> DemoFailure:
    """Return the failure of a run with the end of its failed task's log."""
    task = next((each["name"] for each in run["tasks"] if each["state"] == "failed"), None)
    what = f"run {run['name']} {run['state']}: {run['reason']}"
    if task is None:
        return DemoFailure(what, ".ordain/logs/reconciler.log")
    path = f"/api/v1/runs/{run['name']}/logs?task={task}"
    log = (await client.text(path)).rstrip().splitlines()[-LOG_LINES:]
    return DemoFailure("\n    ".join([what, *log]), f"{path} on {client.host}")


async def _trained(client: Client, run: Mapping[str, Any]) -> Trained:
    name, model = str(run["name"]), str(run["model"])
    versions = (await client.get(f"/api/v1/models/{MODEL}/versions"))["items"]
    registered = next((each for each in versions if each["id"] == model), None)
    if registered is None:
        raise DemoFailure(f"run {name} says it registered {model}, the registry has none", "GET /api/v1/models")
    rows, predictions = await predictions_of(client, name)
    return Trained(name, run["uid"], run["commit"], model, registered["digest"], rows, predictions)


async def predictions_of(client: Client, run: str) -> tuple[list[list[float]], list[list[float]]]:
    """Return the held-out rows and the probabilities the training run gave them: its task `evaluate` wrote both."""
    try:
        found = await client.get(f"/api/v1/runs/{run}/artifacts/evaluate/predictions")
    except ApiProblem as problem:
        raise DemoFailure(f"run {run} left no predictions: {problem}", ".ordain/logs/reconciler.log") from problem
    return found["rows"], found["probabilities"]
