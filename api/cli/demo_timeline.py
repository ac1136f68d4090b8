"""The demo's last word: from commit to traffic, each step with its id and when it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.table import Table

from api.cli.demo_training import Trained
from api.client.views import Event

Events = Sequence[Event]
SHORT = 12
ALL = 100


@dataclass(frozen=True)
class Station:
    """One step on the way."""

    name: str
    id: str
    at: datetime


@dataclass(frozen=True)
class Answer:
    """The first inference a version answered, and how it came to be served."""

    version: str
    deployment_commit: str
    inference: str
    at: float
    """Seconds of the epoch."""


def timeline_table(events: Events, trained: Trained, answer: Answer) -> Table:
    """Return the stations as a table with the time between each two."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)  # as narrow as terminals come: 80
    for heading in ("step", "id", "at (UTC)"):
        table.add_column(heading, no_wrap=True)
    table.add_column("after", justify="right", no_wrap=True)
    before: datetime | None = None
    for station in stations(events, trained, answer):
        after = "" if before is None else f"{(station.at - before).total_seconds():.2f} s"
        table.add_row(station.name, station.id, f"{station.at:%H:%M:%S.%f}"[:-3], after)
        before = station.at
    return table


def stations(events: Events, trained: Trained, answer: Answer) -> list[Station]:
    """Return what the events tell of the way, in the order of time, and the first answer."""
    answered = Station("inference", answer.inference, datetime.fromtimestamp(answer.at, UTC))
    found = [*_of_run(events, trained), *_of_deployment(events, answer), answered]
    return sorted(found, key=lambda each: each.at)


def _of_run(events: Events, trained: Trained) -> Iterator[Station]:
    mine = [each for each in events if each.subject == trained.name]
    yield from _station("commit", mine, "run.committed", "commit")
    yield from _station("run submitted", mine, "run.submitted", "run_id")
    yield from _station("run finished", mine, "run.registering", "uid")
    registered = [each for each in events if each.subject == trained.model]
    for each in _station("model registered", registered, "model.registered", "commit"):
        yield Station(each.name, f"{trained.model} {trained.digest[: len('sha256:') + SHORT]}", each.at)


def _of_deployment(events: Events, answer: Answer) -> Iterator[Station]:
    asked = [each for each in events if each.data["commit"] == answer.deployment_commit]
    yield from _station("deployment", asked, "deployment.committed", "commit")
    since = min((each.sequence for each in asked), default=0)
    later = [each for each in events if each.sequence >= since]
    # The first rendering that has the version at all; it is ready once it takes all the traffic.
    rollouts = {each.data["rollout"] for each in later if _weight(each, answer.version) is not None}
    rendered = [each for each in later if each.data.get("rollout") in rollouts]
    yield from _station("rendered", rendered, "deployment.rendered", "rendered")
    taking = [each for each in later if _weight(each, answer.version) == ALL]
    yield from _station("ready", taking, "deployment.ready", "rollout")


def _weight(event: Event, version: str) -> int | None:
    """Return the share of the traffic that a deployment's event says a version has."""
    versions = event.data.get("versions") or ()
    return next((int(each["weight"]) for each in versions if each["name"] == version), None)


def _station(name: str, events: Events, kind: str, identifier: str) -> Iterator[Station]:
    event = _first(events, kind)
    if event is not None:
        known = str(event.data[identifier])
        is_hash = identifier in {"commit", "rendered", "rollout"}
        yield Station(name, known[:SHORT] if is_hash else known, event.time)


def _first(events: Events, kind: str) -> Event | None:
    mine = (each for each in events if each.type == f"dev.ordain.{kind}")
    return min(mine, key=lambda each: each.sequence, default=None)
