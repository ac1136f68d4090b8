"""The plan of a change, whole: an immutable value that JSON, Markdown and text are written from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from pydantic import TypeAdapter

from intents.kinds.platform import Enforcement
from intents.problems import Problem, Severity
from reconciler.planning.plan.capacity import DeploymentUse
from reconciler.planning.plan.cost import Cost
from reconciler.planning.plan.firings import ScheduleFirings
from reconciler.planning.plan.intents import IntentChange
from reconciler.planning.plan.manifests import ManifestChange, Unrendered
from reconciler.planning.plan.others import OtherChange
from reconciler.planning.plan.pods import PodChange
from reconciler.planning.plan.policy import PolicyVerdict
from reconciler.planning.plan.quotas import QuotaUse
from reconciler.planning.plan.radius import BlastRadius, ChangeLimit
from reconciler.planning.plan.traffic import Traffic


@dataclass(frozen=True)
class ChangePlan:
    """What a change does, from one tree to another. Every list is in one order, whatever order the change came in.

    Amounts are decimal numbers in base units: CPUs, bytes of memory, GPUs.
    """

    intents: tuple[IntentChange, ...]
    manifests: tuple[ManifestChange, ...]
    unrendered: tuple[Unrendered, ...]
    pods: tuple[PodChange, ...]
    traffic: tuple[Traffic, ...]
    deployments: tuple[DeploymentUse, ...]
    quotas: tuple[QuotaUse, ...]
    others: tuple[OtherChange, ...]
    schedules: tuple[ScheduleFirings, ...]
    cost: Cost | None
    policies: tuple[PolicyVerdict, ...]
    radius: BlastRadius
    limits: tuple[ChangeLimit, ...]
    problems: tuple[Problem, ...]
    not_checked: tuple[str, ...]
    """Questions that only the platform's ledger can answer."""

    @property
    def refused(self) -> bool:
        """Whether the change cannot be merged as it is, or what it brings would be refused; warnings refuse nothing."""
        refused = any(each.enforcement is Enforcement.ENFORCE for each in self.policies)
        return refused or bool(self.unrendered) or any(each.severity is Severity.ERROR for each in self.problems)


def to_json(plan: ChangePlan, *, indent: int | None = None) -> bytes:
    """Return the plan as JSON; decimal numbers are strings, so that no reader rounds them."""
    return _json().dump_json(plan, indent=indent)


@cache
def _json() -> TypeAdapter[ChangePlan]:
    """Made when it is first needed: that takes 50 ms."""
    return TypeAdapter(ChangePlan)
