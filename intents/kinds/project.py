"""Project: a tenant's unit of isolation; one namespace."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from intents.kinds.base import ClusterName, Count, Part, Spec


class Quota(Part):
    """What a project may use. Runs above `concurrentRuns` wait; they are never refused."""

    concurrent_runs: Count = 10


class ProjectSpec(Spec):
    """One project of a tenant, on one cluster."""

    MUTABLE: ClassVar = frozenset({"quota"})

    cluster: ClusterName
    quota: Quota = Field(default_factory=Quota)
