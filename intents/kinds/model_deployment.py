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
    """How many copies always run."""
    max: Count = 1
    """How many copies may run under load; quotas count this number."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max < self.min:
            raise refuse("out-of-range", f"max ({self.max}) is less than min ({self.min})", "raise max")
        return self


class Version(Part):
    """One version of a model under the name it is served by."""

    name: VersionName
    """The name it is served by, such as v1; while it is served it keeps its model and digest."""
    model: ModelRef
    """The registered model version to serve: `<model>@<number>`."""
    digest: Digest
    """The digest of that model version, repeated so that a person sees what is deployed."""
    replicas: Replicas = Field(default_factory=Replicas)
    resources: Resources = Field(default_factory=Resources)
    """What one replica may use; it is requested and limited alike."""

    @property
    def model_name(self) -> str:
        """The model without its version."""
        return self.model.partition("@")[0]


class Access(StrEnum):
    """Who may send inferences: the tenant's members, everyone signed in to the platform, or anyone at all."""

    TENANT = "tenant"
    PLATFORM = "platform"
    PUBLIC = "public"


class RateLimit(Part):
    """How many inferences the edge lets through."""

    requests_per_second: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    """Inferences a second, over all clients; more are answered 429."""


class Endpoint(Part):
    """How the deployment is reached: /serve/<project>/<deployment>/v2/… on the tenant's host names."""

    access: Access = Access.TENANT
    rate_limit: RateLimit | None = None
    """How many inferences the edge lets through; absent: all of them."""
    timeout: Duration = "30s"
    """How long the edge waits for an answer."""


class ModelDeploymentSpec(Spec):
    """The versions of a model that are to be served, how traffic moves to them and how they are reached.

    It is the target: the Rollout beside it says what is served now.
    """

    MUTABLE: ClassVar = frozenset({"runtime", "versions", "traffic", "endpoint"})

    runtime: Runtime
    versions: Annotated[tuple[Version, ...], Field(min_length=1)]
    """Every version that the traffic strategy names, all of one model."""
    traffic: Traffic
    endpoint: Endpoint = Field(
        default_factory=Endpoint,
        examples=[{"access": "tenant", "rateLimit": {"requestsPerSecond": 50}, "timeout": "5s"}],
    )
