"""Project: a tenant's unit of isolation; one namespace."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from intents.kinds.base import ClusterName, Spec
from intents.kinds.resources import Quota


class ApprovedKind(StrEnum):
    """Kinds whose changes may need approval. Runs, cancelling, rollout steps and rollback are always direct."""

    SCHEDULE = "Schedule"
    TRAINING_JOB = "TrainingJob"
    MODEL_DEPLOYMENT = "ModelDeployment"


class ProjectSpec(Spec):
    """One project of a tenant, on one cluster: the unit of isolation, one namespace."""

    MUTABLE: ClassVar = frozenset({"quota", "approvals"})

    cluster: ClusterName
    """The cluster that its runs and models are on."""
    quota: Quota = Field(default_factory=Quota, examples=[{"cpus": 32, "memory": "128Gi", "concurrentRuns": 10}])
    """What the project may use at once, within what its tenant may."""
    approvals: dict[ApprovedKind, Annotated[int, Field(strict=True, ge=0, le=10)]] = Field(
        default_factory=dict, examples=[{"ModelDeployment": 1}]
    )
    """How many others must approve a change of a kind; 0 where nothing is said."""
