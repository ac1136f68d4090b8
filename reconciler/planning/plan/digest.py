"""What an approval of a plan is bound to: a digest of all that the change does."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import NewType

from pydantic import TypeAdapter

from reconciler.planning.plan.capacity import DeploymentUse
from reconciler.planning.plan.change_plan import ChangePlan
from reconciler.planning.plan.cost import Cost
from reconciler.planning.plan.firings import Firings, ScheduleFirings
from reconciler.planning.plan.intents import IntentChange
from reconciler.planning.plan.manifests import ManifestChange, Unrendered
from reconciler.planning.plan.pods import PodChange
from reconciler.planning.plan.policy import PolicyVerdict
from reconciler.planning.plan.radius import BlastRadius
from reconciler.planning.plan.traffic import Traffic

PlanDigest = NewType("PlanDigest", str)
"""64 hexadecimal digits."""


@dataclass(frozen=True)
class _Deeds:
    """What a change does, and nothing of what goes on around it.

    Left out of the plan are other open changes, what others use of a quota, how many deployments there are, when
    schedules fire next, and problems: those differ from one moment to the next and each is held against the newest
    main before a change is merged, whoever approved it.
    """

    blobs: Mapping[str, str | None]
    intents: tuple[IntentChange, ...]
    manifests: tuple[ManifestChange, ...]
    unrendered: tuple[Unrendered, ...]
    pods: tuple[PodChange, ...]
    traffic: tuple[Traffic, ...]
    deployments: tuple[DeploymentUse, ...]
    schedules: tuple[ScheduleFirings, ...]
    cost: Cost | None
    policies: tuple[PolicyVerdict, ...]
    radius: BlastRadius


def plan_digest(plan: ChangePlan, blobs: Mapping[str, str | None]) -> PlanDigest:
    """Return the digest of a plan and of the files that it is the plan of: their blob ids, None where one goes.

    Two plans have one digest where they do the same, whatever else goes on and whenever they are made.
    """
    deeds = _Deeds(
        blobs=dict(sorted(blobs.items())),
        intents=plan.intents,
        manifests=plan.manifests,
        unrendered=plan.unrendered,
        pods=plan.pods,
        traffic=plan.traffic,
        deployments=plan.deployments,
        schedules=tuple(
            replace(each, before=_timeless(each.before), after=_timeless(each.after)) for each in plan.schedules
        ),
        cost=plan.cost,
        policies=plan.policies,
        radius=plan.radius,
    )
    return PlanDigest(hashlib.sha256(_json().dump_json(deeds)).hexdigest())


def _timeless(firings: Firings | None) -> Firings | None:
    return replace(firings, next=()) if firings else None


@cache
def _json() -> TypeAdapter[_Deeds]:
    return TypeAdapter(_Deeds)
