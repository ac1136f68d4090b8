"""ModelDeployment: which versions of a model a tenant wants served, and how they are reached."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from intents.kinds.base import Count, Digest, Duration, ModelRef, Part, Spec, VersionName, refuse
from intents.kinds.resources import Resources
from intents.kinds.traffic import Traffic


class Runtime(StrEnum):
    """The model server."""

    TRITON = "triton"


class Replicas(Part):
    """How many copies of a version may run."""

    min: Count = 1
    max: Count = 1

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max < self.min:
            raise refuse("out-of-range", f"max ({self.max}) is less than min ({self.min})", "raise max")
        return self


class Version(Part):
    """One version of a model under the name it is served by."""

    name: VersionName
    model: ModelRef
    digest: Digest
    """The digest of that model version, repeated so that a person sees what is deployed."""
    replicas: Replicas = Field(default_factory=Replicas)
    resources: Resources = Field(default_factory=Resources)

    @property
    def model_name(self) -> str:
        """The model without its version."""
        return self.model.partition("@")[0]


class Access(StrEnum):
    """Who may send inferences: the tenant's members, everyone signed in to the platform, or anyone."""

    TENANT = "tenant"
    PLATFORM = "platform"
    PUBLIC = "public"


class RateLimit(Part):
    """How many inferences the edge lets through."""

    requests_per_second: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]


class Endpoint(Part):
    """How the deployment is reached."""

    access: Access = Access.TENANT
    rate_limit: RateLimit | None = None
    timeout: Duration = "30s"


class ModelDeploymentSpec(Spec):
    """The target; the Rollout says what is served now."""

    MUTABLE: ClassVar = frozenset({"runtime", "versions", "traffic", "endpoint"})

    runtime: Runtime
    versions: Annotated[tuple[Version, ...], Field(min_length=1)]
    traffic: Traffic
    endpoint: Endpoint = Field(default_factory=Endpoint)
