"""The kinds of intent: one file a kind, and the table of them."""

from __future__ import annotations

from intents.kinds.base import API_VERSION, Envelope, Kind, Metadata, Spec
from intents.kinds.cluster import ClusterSpec
from intents.kinds.model_deployment import ModelDeploymentSpec
from intents.kinds.model_version import ModelVersionSpec
from intents.kinds.platform import PlatformSpec
from intents.kinds.project import ProjectSpec
from intents.kinds.rollout import RolloutSpec
from intents.kinds.run import RunSpec
from intents.kinds.schedule import ScheduleSpec
from intents.kinds.template import TemplateSpec
from intents.kinds.tenant import TenantSpec
from intents.kinds.training_job import TrainingJobSpec

SPECS: dict[Kind, type[Spec]] = {
    Kind.PLATFORM: PlatformSpec,
    Kind.CLUSTER: ClusterSpec,
    Kind.TENANT: TenantSpec,
    Kind.PROJECT: ProjectSpec,
    Kind.TEMPLATE: TemplateSpec,
    Kind.RUN: RunSpec,
    Kind.SCHEDULE: ScheduleSpec,
    Kind.TRAINING_JOB: TrainingJobSpec,
    Kind.MODEL_VERSION: ModelVersionSpec,
    Kind.MODEL_DEPLOYMENT: ModelDeploymentSpec,
    Kind.ROLLOUT: RolloutSpec,
}

__all__ = [
    "API_VERSION",
    "SPECS",
    "ClusterSpec",
    "Envelope",
    "Kind",
    "Metadata",
    "ModelDeploymentSpec",
    "ModelVersionSpec",
    "PlatformSpec",
    "ProjectSpec",
    "RolloutSpec",
    "RunSpec",
    "ScheduleSpec",
    "Spec",
    "TemplateSpec",
    "TenantSpec",
    "TrainingJobSpec",
]
