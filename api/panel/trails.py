"""The way from a commit to traffic, read from the tree and the events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from intents.documents import Document
from intents.kinds import ModelDeploymentSpec, ModelVersionSpec, RolloutSpec
from reconciler.planning.events import Event


@dataclass(frozen=True)
class Stop:
    """One station on the way; `id` is a commit, a run or a model, as `noun` says."""

    noun: str
    label: str
    id: str = ""
    at: datetime | None = None


def trail(
    deployment: Document[ModelDeploymentSpec],
    rollout: Document[RolloutSpec] | None,
    model: Document[ModelVersionSpec] | None,
    events: Sequence[Event],
) -> tuple[Stop, ...]:
    """Return the stations behind what is served now, as far as they are known, in the order of the walk.

    `model` is the version that takes the traffic; `events` are the tenant's newest, in any order.
    """
    who = deployment.identity
    mine = [each for each in events if (each.fact.project, each.fact.name) == (who.project, who.name)]
    return (
        *_of_model(model),
        *_at("commit", "deployment", _find(mine, "deployment", "committed", blob=deployment.blob)),
        *_of_rollout(mine, rollout.blob if rollout else ""),
    )


def _of_model(model: Document[ModelVersionSpec] | None) -> Iterable[Stop]:
    if model is None:
        return
    lineage, identity = model.spec.lineage, model.identity
    if lineage and lineage.commit:
        yield Stop("commit", "run asked", lineage.commit)
    if lineage:
        yield Stop("run", "run", lineage.run.rpartition("/")[2])
    yield Stop("model", "model", f"{identity.name}@{identity.version}")


def _of_rollout(mine: Sequence[Event], blob: str) -> Iterable[Stop]:
    if not blob:
        return
    yield from _at("commit", "rollout", _find(mine, "rollout", "stepped", blob=blob))
    rendered = _find(mine, "deployment", "rendered", rollout=blob)
    if rendered:
        yield Stop("commit", "rendered", str(rendered.fact.data.get("rendered", "")), rendered.at)
    ready = _find(mine, "deployment", "ready", rollout=blob)
    if ready:
        yield Stop("ready", "ready", at=ready.at)


def _at(noun: str, label: str, event: Event | None) -> Iterable[Stop]:
    if event:
        yield Stop(noun, label, event.fact.commit, event.at)


def _find(events: Iterable[Event], noun: str, verb: str, **data: str) -> Event | None:
    """Return the first event of that kind with that data, whatever the order they are given in."""
    found = (
        each
        for each in events
        if (each.fact.noun, each.fact.verb) == (noun, verb)
        and all(each.fact.data.get(key) == value for key, value in data.items())
    )
    return min(found, key=lambda each: each.sequence, default=None)
