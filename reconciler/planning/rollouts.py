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
        return _turn_towards(target, blob, rollout, served)
    if rollout.hold is None:
        return _walk(_live(target, ALL), rollout, served)
    return _walk(rollout.last_good[0], rollout, served) if rollout.last_good else None


def arrived(asked: ModelDeploymentSpec, blob: str, rollout: RolloutSpec | None, served: Served | None) -> bool:
    """Say whether the walk is over: one version is live, it is the one to arrive at, and it answers.

    That is the one asked for, or lastGood under a hold. `served` is as for `next_step`.
    """
    if rollout is None or served is None or len(rollout.live) != 1:
        return False
    return served.ready and next_step(asked, blob, rollout, served) is None


def roll_back(rollout: RolloutSpec, blob: str, reason: str, by: str) -> Step | None:
    """Return the step that holds the rollout and turns it towards lastGood.

    `blob` is the deployment's: the hold stands until another one, also where no walk to this one has begun yet.
    One commit moves the traffic while lastGood is still live; else it is the first step of the replace walk
    towards it. None where there is nothing to go back to: no lastGood, nothing else is live, or it goes back already.
    """
    begun = rollout.of == blob
    last_good = rollout.last_good if begun else _good_now(rollout.live)
    if not last_good or (begun and (rollout.hold or _names(rollout.live) == _names(last_good))):
        return None
    good, held = last_good[0], {"of": blob, "last_good": last_good, "hold": Hold(reason=reason, by=by)}
    if _find(rollout.live, good.name):
        step = rollout.model_copy(update={"live": _shift(rollout.live, good.name), **held})
        return _step(step, f"Roll back to {good.name}", f"reason: {reason}")
    step = rollout.model_copy(update={"live": (*rollout.live, _live(good, 0)), **held})
    return _step(step, f"Start {good.name} to roll back to it", f"reason: {reason}")


def _turn_towards(target: Version, blob: str, rollout: RolloutSpec, served: Served | None) -> Step:
    """Begin the walk to a new target from what is live; versions that are known to be idle are dropped."""
    kept = tuple(item for item in rollout.live if item.name == target.name or not _idle(item, served))
    here = _find(kept, target.name)
    live = (
        tuple(_live(target, item.weight) if item is here else item for item in kept)
        if here
        else (*kept, _live(target, 0))
    )
    good = rollout.last_good if here and here.weight > 0 else _good_now(rollout.live)
    step = RolloutSpec(of=blob, live=live, last_good=good)
    return Step(step, f"Update {target.name}" if here else f"Start {target.name} beside {_names(kept)}")


def _good_now(live: tuple[LiveVersion, ...]) -> tuple[LiveVersion, ...]:
    """Return what takes the traffic, as lastGood remembers it."""
    return tuple(_live(item, ALL) for item in live if item.weight > 0)[:1]


def _idle(item: LiveVersion, served: Served | None) -> bool:
    """Say whether a version is known to have nothing to do: no traffic, and none of it left in flight."""
    seen = served.version(item.name) if served and served.routed else None
    return item.weight == 0 and seen is not None and seen.active_requests == 0


def _walk(target: LiveVersion, rollout: RolloutSpec, served: Served | None) -> Step | None:
    if served is None:
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
    evidence = f"{name} {seen.proof} while taking no traffic"
    step = rollout.model_copy(update={"live": _shift(rollout.live, name)})
    return _step(step, f"Move all traffic to {name}", evidence)


def _drop_when_drained(name: str, rollout: RolloutSpec, served: Served) -> Step | None:
    others = tuple(item for item in rollout.live if item.name != name)
    drained = served.routed and all(_idle(item, served) for item in others)
    seen = served.version(name)
    if not others or not drained or seen is None or seen.state is not ServerState.READY:
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
