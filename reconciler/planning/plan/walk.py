"""The walk of a rollout that a change sets off, and where it ends.

The steps of `replace` are those that the rollout controller will take, as its own machine decides them when all
goes well. Those of the other strategies are the ones that the deployment declares.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from intents.documents import Document
from intents.kinds import ModelDeploymentSpec, RolloutSpec
from intents.kinds.model_deployment import Version
from intents.kinds.rollout import LiveVersion
from intents.kinds.traffic import AB, BlueGreen, Canary, Replace, Shadow
from reconciler.planning.observations import ServerState
from reconciler.planning.plan.steps import WalkStep, answering, declared_steps, drained
from reconciler.planning.rollouts import next_step
from reconciler.planning.serving import Served, ServedVersion

_LONGEST = 10
"""Steps of a replace walk; it takes four from the most crowded start."""


@dataclass(frozen=True)
class Walk:
    """What is still to come, and what is live at its end."""

    steps: tuple[WalkStep, ...]
    end: tuple[LiveVersion, ...]


NO_WALK = Walk((), ())


def walk_of(target: Document[ModelDeploymentSpec] | None, rollout: Document[RolloutSpec] | None) -> Walk:
    """Return the walk of a deployment from what is live to what is asked, or to lastGood under a hold."""
    if target is None:
        return NO_WALK
    live = rollout.spec if rollout else None
    strategy = target.spec.traffic.strategy
    if isinstance(strategy, Replace):
        return _replace(target, live)
    begun = live is not None and live.of == target.blob
    if live is not None and live.hold is not None and begun:
        return Walk((), live.live)
    steps = declared_steps(strategy, target.spec.versions, live.live if live else (), begun=begun)
    end = steps[-1].weights if steps else _weights(live.live if live else ())
    known = {each.name: each for each in (*(live.live if live else ()), *target.spec.versions)}
    return Walk(steps, tuple(_live(known[name], weight) for name, weight in end.items() if name in known))


def settled(target: Document[ModelDeploymentSpec] | None, rollout: Document[RolloutSpec] | None) -> tuple[Version, ...]:
    """Return the versions that are live when the walk is over, as they are asked for."""
    if target is None:
        return ()
    asked, strategy = target.spec.versions, target.spec.traffic.strategy
    if rollout is not None and rollout.spec.hold is not None and rollout.spec.of == target.blob:
        good = rollout.spec.last_good
        return good[:1] if isinstance(strategy, Replace) and good else rollout.spec.live
    match strategy:
        case Replace():
            return asked[:1]
        case Canary() | BlueGreen():
            names = {strategy.candidate}
        case AB():
            names = set(strategy.split)
        case Shadow():
            names = {strategy.stable, strategy.candidate}
    return tuple(each for each in asked if each.name in names)


def _replace(target: Document[ModelDeploymentSpec], rollout: RolloutSpec | None) -> Walk:
    steps: list[WalkStep] = []
    while len(steps) < _LONGEST:
        step = next_step(target.spec, target.blob, rollout, _all_well(target, rollout) if rollout else None)
        if step is None:
            break
        when = _when(rollout.live if rollout else (), step.rollout.live)
        steps.append(WalkStep(step.summary, when, _weights(step.rollout.live)))
        rollout = step.rollout
    return Walk(tuple(steps), rollout.live if rollout else ())


def _all_well(target: Document[ModelDeploymentSpec], rollout: RolloutSpec) -> Served:
    """Return what a cluster shows where every version is ready and idle ones are drained."""
    who = target.identity
    versions = (ServedVersion(v.name, v.model, v.digest, v.weight, ServerState.READY) for v in rollout.live)
    return Served(who.tenant, who.project, who.name, target.blob, "", tuple(versions), routed=True)


def _when(before: Sequence[LiveVersion], after: Sequence[LiveVersion]) -> str:
    """Say what a replace step waits for."""
    old, new = _weights(before), _weights(after)
    if gaining := [name for name in new if name in old and new[name] > old[name]]:
        return answering(gaining)
    gone = [name for name in old if name not in new]
    return drained(gone) if gone else "at once"


def _weights(live: Iterable[LiveVersion]) -> dict[str, int]:
    return {each.name: each.weight for each in live}


def _live(version: Version, weight: int) -> LiveVersion:
    return LiveVersion.model_validate({**version.model_dump(by_alias=True), "weight": weight})
