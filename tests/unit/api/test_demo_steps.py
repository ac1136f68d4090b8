from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from rich.console import Console

from api.cli.demo_serving import Trickle, check_answers, difference, infer, is_settled, version_name
from api.cli.demo_steps import Demo, DemoFailure
from api.cli.demo_timeline import Answer, stations, timeline_table
from api.cli.demo_training import Trained, follow
from api.client import Address, Client, Patience, Refused, Unavailable
from api.client.connection import Means
from api.client.views import Deployment, Event

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
ROWS = [[0.5, 1.5], [2.5, 3.5], [4.5, 5.5]]
TRAINED = Trained("train-1", "uid-1", "c" * 40, "fraud@7", "sha256:" + "d" * 64, ROWS, ROWS)

Handler = Callable[[httpx.Request], httpx.Response]


def client(handler: Handler) -> Client:
    means = Means(httpx.MockTransport(handler))
    return Client(Address.here(1, "acme.ml.localhost"), patience=Patience(0), means=means)


def demo(handler: Handler) -> Demo:
    return Demo(client(handler), Console(file=io.StringIO(), width=80))


def said(walk: Demo) -> str:
    assert isinstance(walk.console.file, io.StringIO)
    return walk.console.file.getvalue()


def echo(request: httpx.Request) -> httpx.Response:
    """Serve a model that answers each row with itself."""
    (tensor,) = json.loads(request.content)["inputs"]
    output = {"name": "probabilities", "shape": tensor["shape"], "datatype": "FP32", "data": tensor["data"]}
    return httpx.Response(
        200, json={"outputs": [{"name": "label", "shape": [1], "datatype": "INT64", "data": [1]}, output]}
    )


def test_waiting_bears_restarts_but_no_refusal() -> None:
    answers = [Unavailable("restarting"), None, "there"]

    def look() -> str | None:
        found = answers.pop(0)
        if isinstance(found, Unavailable):
            raise found
        return found

    walk = demo(echo)
    assert walk.until(look, 10, late) == "there"

    def refused() -> str | None:
        raise Refused("forbidden")

    with pytest.raises(Refused):
        walk.until(refused, 10, late)


def test_waiting_ends_by_itself_and_with_the_walk() -> None:
    walk = demo(echo)
    with pytest.raises(DemoFailure, match="late"):
        walk.until(lambda: None, 0, late)
    walk.over.set()
    with pytest.raises(DemoFailure, match="late"):
        walk.until(lambda: None, 1000, late)


def late() -> DemoFailure:
    return DemoFailure("late", "there")


@pytest.mark.parametrize(
    ("served", "expected"),
    [
        ([], "v7"),
        ([("v7", "fraud@7")], "v7"),
        ([("v7", "fraud@1")], "v7-a"),
        ([("v7", "fraud@1"), ("v7-a", "fraud@2")], "v7-b"),
    ],
)
def test_a_version_never_takes_the_name_of_another_model(served: list[tuple[str, str]], expected: str) -> None:
    versions = [{"name": name, "model": model} for name, model in served]
    found = view(spec={"versions": versions[:1]}, live=versions[1:])
    assert version_name(client(lambda _: httpx.Response(200, json=found)), "fraud@7") == expected


def test_the_first_version_needs_no_deployment() -> None:
    assert version_name(client(lambda _: httpx.Response(404, json={})), "fraud@1") == "v1"


def view(*, ready: bool = True, spec: dict[str, Any] | None = None, **rollout: Any) -> dict[str, Any]:
    return {
        "name": "fraud",
        "project": "fraud",
        "blob": "b" * 40,
        "spec": spec or {"versions": []},
        "rollout": {"live": [{"name": "v2", "model": "fraud@2"}], "hold": None} | rollout,
        "served": [],
        "ready": ready,
        "path": "/serve",
    }


def is_so(found: dict[str, Any], version: str, *, held: bool) -> bool:
    return is_settled(Deployment.model_validate(found), version, held=held)


def test_settled_means_ready_with_that_version_and_held_or_not() -> None:
    assert is_so(view(), "v2", held=False)
    assert not is_so(view(), "v1", held=False)
    assert not is_so(view(ready=False), "v2", held=False)
    assert not is_so(view(hold={"reason": "r"}), "v2", held=False)
    assert is_so(view(hold={"reason": "r"}), "v2", held=True)
    assert not is_so({**view(ready=False), "rollout": None}, "v2", held=False)


def test_answers_of_another_shape_differ_infinitely() -> None:
    assert difference([[0.25, 0.75]], [[0.25, 0.5]]) == 0.25
    assert difference([[0.5]], [[0.5, 0.5]]) == float("inf")
    assert difference([], [[0.5]]) == float("inf")


def test_an_inference_gives_one_answer_a_row() -> None:
    assert infer(client(echo), ROWS) == ROWS


def test_answers_that_differ_from_the_training_run_are_a_failure() -> None:
    walk = demo(echo)
    check_answers(walk, TRAINED, "v7")
    assert "v7 answered 3 rows" in said(walk)
    other = Trained("train-1", "uid-1", "c" * 40, "fraud@7", "", ROWS, [[0.5, 1.5], [2.5, 3.5], [4.5, 5.6]])
    with pytest.raises(DemoFailure, match=r"differs from its training run by 1\.0e-01"):
        check_answers(walk, other, "v7")


def test_a_trickle_knows_who_answered() -> None:
    walk = demo(echo)
    with Trickle(walk, ROWS, {"v1": [[0.0, 0.0]] * 3, "v2": ROWS}) as trickle:
        walk.until(lambda: _enough(trickle), 10, late)
    trickle.report()
    assert set(trickle.answered) == {"v2"}
    assert "none failed" in said(walk)


def _enough(trickle: Trickle) -> bool | None:
    return sum(trickle.answered.values()) >= len(ROWS) or None


@pytest.mark.parametrize("known", [{"v1": [[0.0, 0.0]] * 3}, {}])
def test_a_wrong_answer_or_none_at_all_fails_the_trickle(known: dict[str, list[list[float]]]) -> None:
    handler: Handler = echo if known else lambda _: httpx.Response(503, json={"detail": "nobody serves"})
    walk = demo(handler)
    with Trickle(walk, ROWS, known or {"v1": ROWS}) as trickle:
        walk.until(lambda: _failed(trickle), 10, late)
    with pytest.raises(DemoFailure, match="inferences failed meanwhile"):
        trickle.report()


def _failed(trickle: Trickle) -> bool | None:
    return bool(trickle.failures) or None


RUN = {
    "uid": str(UUID(int=1)),
    "attempt": 1,
    "project": "fraud",
    "name": "r",
    "template": "train-classifier@1.0.0",
    "parameters": {},
    "commit": "c" * 40,
    "model": "",
    "created_at": START.isoformat(),
    "submitted_at": None,
}


def test_a_failed_run_shows_the_end_of_its_log() -> None:
    tasks = [
        {"name": "prepare", "state": "succeeded", **_times(2), "error": "", "metrics": {}},
        {"name": "train", "state": "failed", **_times(1), "error": "", "metrics": {"loss": "NaN"}},
    ]
    run = {**RUN, "state": "failed", "reason": "train failed", **_times(3), "tasks": tasks}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/logs"):
            return httpx.Response(200, text="begin\nValueError: no luck\n")
        return httpx.Response(200, json=run)

    walk = demo(answer)
    with pytest.raises(DemoFailure, match="run r failed: train failed\n    begin\n    ValueError: no luck") as raised:
        follow(walk, "first", "r")
    assert raised.value.where == "/api/v1/runs/r/logs?task=train on acme.ml.localhost:1"
    assert "train     failed       1.0 s  loss NaN" in said(walk)


def _times(seconds: float) -> dict[str, str]:
    return {"started_at": START.isoformat(), "finished_at": (START + timedelta(seconds=seconds)).isoformat()}


def event(sequence: int, kind: str, subject: str, commit: str, **data: Any) -> Event:
    at, about = START + timedelta(seconds=sequence), {"commit": commit, **data}
    return Event(sequence=sequence, type=f"dev.ordain.{kind}", subject=subject, time=at, data=about)


def split(old: int, new: int) -> list[dict[str, Any]]:
    return [{"name": "v1", "weight": old}, {"name": "v7", "weight": new}]


EVENTS = [
    event(1, "run.committed", "train-1", "c" * 40),
    event(2, "run.submitted", "train-1", "c" * 40, run_id="engine-1"),
    event(3, "run.registering", "train-1", "c" * 40, uid="uid-1"),
    event(4, "model.registered", "fraud@7", "m" * 40),
    event(5, "deployment.committed", "fraud", "d" * 40, blob="b"),
    event(6, "deployment.rendered", "fraud", "d" * 40, rollout="old", rendered="0" * 40),
    event(7, "deployment.ready", "fraud", "0" * 40, rollout="old", versions=[{"name": "v1", "weight": 100}]),
    event(8, "deployment.rendered", "fraud", "e" * 40, rollout="r1", rendered="1" * 40),
    event(9, "deployment.ready", "fraud", "1" * 40, rollout="r1", versions=split(100, 0)),
    event(10, "deployment.rendered", "fraud", "f" * 40, rollout="r2", rendered="2" * 40),
    event(11, "deployment.ready", "fraud", "2" * 40, rollout="r2", versions=split(0, 100)),
    event(20, "deployment.ready", "fraud", "3" * 40, rollout="r3", versions=[{"name": "v7", "weight": 100}]),
]


def test_the_timeline_has_each_station_once_with_its_id() -> None:
    answer = Answer("v7", "d" * 40, "inference-1", (START + timedelta(seconds=12)).timestamp())
    found = [(each.name, each.id, (each.at - START).seconds) for each in stations(EVENTS[::-1], TRAINED, answer)]
    assert found == [
        ("commit", "c" * 12, 1),
        ("run submitted", "engine-1", 2),
        ("run finished", "uid-1", 3),
        ("model registered", f"fraud@7 sha256:{'d' * 12}", 4),
        ("deployment", "d" * 12, 5),
        ("rendered", "1" * 12, 8),
        ("ready", "r2", 11),
        ("inference", "inference-1", 12),
    ]


def test_the_timeline_fits_a_terminal() -> None:
    answer = Answer("v7", "d" * 40, "15c81e6a-587b-4608-b653-8a0e0502ed0e", START.timestamp())
    console = Console(file=io.StringIO(), width=80)
    console.print(timeline_table(EVENTS, TRAINED, answer))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "15c81e6a-587b-4608-b653-8a0e0502ed0e" in text
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
