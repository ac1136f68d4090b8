"""A strategy → what of it routes beside the weights: requests that prefer a version, and copies of requests.

Replace, canary and blue/green are weights and nothing else, and weights are the Rollout's. Only versions that are live
are named here, so a strategy may be ahead of its Rollout: it then waits.
"""

from __future__ import annotations

from dataclasses import dataclass

from intents.kinds import ModelDeploymentSpec, RolloutSpec
from intents.kinds.traffic import AB, Match, Shadow


@dataclass(frozen=True)
class Preference:
    """Requests that always reach one version, whatever the weights: those that match any of these."""

    version: str
    matches: tuple[Match, ...]


@dataclass(frozen=True)
class Mirror:
    """The version that gets copies of requests, and of how many in a hundred."""

    version: str
    percent: int


def preferences(target: ModelDeploymentSpec, rollout: RolloutSpec) -> tuple[Preference, ...]:
    """Return the preferences of an A/B test, in the order in which `match` first names their versions.

    That order decides for a request that matches several. A version that is live without a share of the traffic is
    one that is not ready yet or was rolled back, so nobody may be bound to it; unless its share is 0 by the split.
    """
    ab = target.traffic.ab
    if ab is None:
        return ()
    live = {each.name for each in rollout.live if each.weight > 0 or ab.split.get(each.name) == 0}
    wanted = [name for name in dict.fromkeys(match.version for match in ab.match) if name in live]
    return tuple(Preference(name, _matches_of(ab, name)) for name in wanted)


def mirror(target: ModelDeploymentSpec, rollout: RolloutSpec) -> Mirror | None:
    """Return who gets copies: the candidate of a shadow test while it is live and has no share of its own."""
    shadow: Shadow | None = target.traffic.shadow
    if shadow is None:
        return None
    idle = {each.name for each in rollout.live if each.weight == 0}
    return Mirror(shadow.candidate, shadow.percent) if shadow.candidate in idle else None


def _matches_of(ab: AB, version: str) -> tuple[Match, ...]:
    return tuple(match for match in ab.match if match.version == version)
