"""The next Rollout document: what is asked, what is live and what is observed in, one step out."""

from __future__ import annotations

from dataclasses import dataclass

from intents.kinds.model_deployment import ModelDeploymentSpec, Version
from intents.kinds.rollout import Hold, LiveVersion, RolloutSpec
from reconciler.planning.observations import ServerState
from reconciler.planning.serving import Served

ALL = 100
"""Percent of the traffic."""


@dataclass(frozen=True)
class Step:
    """One committed move of a rollout, and why it was made."""

    rollout: RolloutSpec
    summary: str
    evidence: str = ""


def next_step(asked: ModelDeploymentSpec, blob: str, rollout: RolloutSpec | None, served: Served | None) -> Step | None:
    """Return the next step of the replace walk, or None where there is nothing to do now.

    First: [new 100]. Then [old 100, new 0] -> new Ready for this very rollout -> [old 0, new 100] ->
    old drained -> [new 100]; lastGood = old from the first of these on, so that at any point there is a way back.
    A hold turns the walk towards lastGood; a new ModelDeployment (another `of`) clears the hold and starts from
    what is live. `served` is what the cluster shows *for this rollout document*, None while it shows another.
    """
    target = asked.versions[0]
    if rollout is None:
        return Step(RolloutSpec(of=blob, live=(_live(target, ALL),)), f"Serve {target.name}")
    if rollout.of != blob:
        return _turn_towards(target, blob, rollout)
    if rollout.hold is not None:
        return _walk(rollout.last_good[0], rollout, served)
    return _walk(_live(target, ALL), rollout, served)


def roll_back(rollout: RolloutSpec, reason: str, by: str) -> Step | None:
    """Return the step that holds the rollout and turns it towards lastGood.

    One commit moves the traffic while lastGood is still live; else it is the first step of the replace walk
    towards it. None where there is nothing to go back to: no lastGood, or nothing else is live.
    """
    if not rollout.last_good or _names(rollout.live) == _names(rollout.last_good):
        return None
    good, hold = rollout.last_good[0], Hold(reason=reason, by=by)
    if _find(rollout.live, good.name):
        step = rollout.model_copy(update={"live": _shift(rollout.live, good.name), "hold": hold})
        return _step(step, f"Roll back to {good.name}", f"reason: {reason}")
    step = rollout.model_copy(update={"live": (*rollout.live, _live(good, 0)), "hold": hold})
    return _step(step, f"Start {good.name} to roll back to it", f"reason: {reason}")


def _turn_towards(target: Version, blob: str, rollout: RolloutSpec) -> Step:
    """Begin the walk to a new target from what takes traffic; versions that took none are dropped."""
    taking = tuple(item for item in rollout.live if item.weight > 0)
    if _find(taking, target.name):
        live = tuple(_live(target, item.weight) if item.name == target.name else item for item in taking)
        step = RolloutSpec(of=blob, live=live, last_good=rollout.last_good)
        return Step(step, f"Update {target.name}")
    good = tuple(_live(item, ALL) for item in taking[:1])
    step = RolloutSpec(of=blob, live=(*taking, _live(target, 0)), last_good=good)
    return Step(step, f"Start {target.name} beside {_names(taking)}")


def _walk(target: LiveVersion, rollout: RolloutSpec, served: Served | None) -> Step | None:
    if served is None or not served.routed:
        return None
    here = _find(rollout.live, target.name)
    if here is None:
        live = (*rollout.live, _live(target, 0))
        return _step(rollout.model_copy(update={"live": live}), f"Start {target.name}")
    if here.weight < ALL:
        return _shift_when_ready(target.name, rollout, served)
    return _drop_when_drained(target.name, rollout, served)


def _shift_when_ready(name: str, rollout: RolloutSpec, served: Served) -> Step | None:
    seen = served.version(name)
    if seen is None or seen.state is not ServerState.READY:
        return None
    evidence = f"{name} answered an inference at {seen.address} while taking no traffic"
    step = rollout.model_copy(update={"live": _shift(rollout.live, name)})
    return _step(step, f"Move all traffic to {name}", evidence)


def _drop_when_drained(name: str, rollout: RolloutSpec, served: Served) -> Step | None:
    others = tuple(item for item in rollout.live if item.name != name)
    busy = [item.name for item in served.versions if item.name != name and item.active_requests]
    if busy or not others:
        return None
    live = tuple(item for item in rollout.live if item.name == name)
    step = rollout.model_copy(update={"live": live})
    return _step(step, f"Retire {_names(others)}", f"{_names(others)} had no request in flight")


def _step(rollout: RolloutSpec, summary: str, evidence: str = "") -> Step:
    return Step(rollout.model_copy(update={"step": rollout.step + 1}), summary, evidence)


def _shift(live: tuple[LiveVersion, ...], name: str) -> tuple[LiveVersion, ...]:
    return tuple(_live(item, ALL if item.name == name else 0) for item in live)


def _live(version: Version, weight: int) -> LiveVersion:
    return LiveVersion.model_validate({**version.model_dump(by_alias=True), "weight": weight})


def _find(live: tuple[LiveVersion, ...], name: str) -> LiveVersion | None:
    return next((item for item in live if item.name == name), None)


def _names(live: tuple[LiveVersion, ...]) -> str:
    return " and ".join(item.name for item in live) or "nothing"
