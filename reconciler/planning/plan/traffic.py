"""Traffic by version before and after, and the walk that follows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from intents.kinds.model_deployment import Version
from intents.kinds.rollout import LiveVersion
from reconciler.planning.plan.deployments import Standing, Touched
from reconciler.planning.plan.steps import WalkStep


@dataclass(frozen=True)
class VersionTraffic:
    """One version of a deployment: its model, and its share of the traffic in percent; null where it is not live."""

    name: str
    model: str
    digest: str
    before: int | None
    after: int | None
    """As soon as the commit is applied."""
    at_the_end: int | None
    """When the walk is over."""


@dataclass(frozen=True)
class Traffic:
    """The traffic of one deployment. `walk` are the commits that the rollout controller makes after this one."""

    tenant: str
    project: str
    deployment: str
    strategy_before: str | None
    strategy_after: str | None
    versions: tuple[VersionTraffic, ...]
    held: str
    """Why the rollout stands still after the change, and on whose word; empty where it does not."""
    walk: tuple[WalkStep, ...]


_Served = tuple[str, str, str]
"""Name, model, digest."""


def traffic(touched: Iterable[Touched]) -> Iterator[Traffic]:
    """Yield the traffic of each deployment."""
    for each in touched:
        yield Traffic(
            tenant=each.tenant,
            project=each.project,
            deployment=each.name,
            strategy_before=_strategy(each.before),
            strategy_after=_strategy(each.after),
            versions=tuple(_versions(each)),
            held=_held(each.after),
            walk=each.after.walk.steps,
        )


def _versions(touched: Touched) -> Iterator[VersionTraffic]:
    before, after = _live(touched.before), _live(touched.after)
    end = _weights(touched.after.walk.end)
    asked = [_served(each) for standing in (touched.before, touched.after) for each in _asked(standing)]
    for key in dict.fromkeys((*before, *after, *end, *asked)):
        yield VersionTraffic(*key, before.get(key), after.get(key), end.get(key))


def _strategy(standing: Standing) -> str | None:
    if standing.target is None:
        return None
    return next(iter(standing.target.spec.traffic.model_dump(by_alias=True, exclude_none=True)))


def _held(standing: Standing) -> str:
    """Say why it stands still. A hold ends with another ModelDeployment."""
    if standing.target is None or standing.rollout is None or standing.rollout.spec.of != standing.target.blob:
        return ""
    hold = standing.rollout.spec.hold
    return f"{hold.reason} ({hold.by})" if hold else ""


def _asked(standing: Standing) -> tuple[Version, ...]:
    return standing.target.spec.versions if standing.target else ()


def _live(standing: Standing) -> Mapping[_Served, int]:
    return _weights(standing.rollout.spec.live if standing.rollout else ())


def _weights(live: Iterable[LiveVersion]) -> Mapping[_Served, int]:
    return {_served(each): each.weight for each in live}


def _served(version: Version) -> _Served:
    return version.name, version.model, version.digest
