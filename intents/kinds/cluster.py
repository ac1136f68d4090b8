"""Cluster: where runs and models are executed."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from intents.kinds.base import Count, GpuType, Part, Quantity, Spec, Url, refuse

_LABEL = Annotated[str, Field(min_length=1, max_length=317, pattern=r"^\S+$")]
"""A Kubernetes label, taint or resource name: a prefix of up to 253 characters, `/`, and up to 63."""
_NAMESPACE = Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$")]


class Driver(StrEnum):
    """What makes rendered manifests real: `local` is this machine, `kubernetes` is Argo CD, KFP and KServe."""

    LOCAL = "local"
    KUBERNETES = "kubernetes"


class KServeMode(StrEnum):
    """How KServe deploys."""

    STANDARD = "Standard"
    KNATIVE = "Knative"


class KServe(Part):
    """The KServe that manifests are rendered for."""

    mode: KServeMode = KServeMode.STANDARD
    version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+$")] = "0.20"


class ArgoCd(Part):
    """The Argo CD that applies the rendered branch."""

    namespace: _NAMESPACE = "argocd"
    repo_url: Annotated[Url, Field(alias="repoURL")]
    """Where Argo CD reads the rendered branch."""


class Kfp(Part):
    """The Kubeflow Pipelines API that runs are submitted to."""

    endpoint: Url


class Gateway(Part):
    """The Gateway API implementation at the edge."""

    class_: Annotated[str, Field(alias="class", pattern=r"^[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?$", max_length=63)] = (
        "ordain"
    )


class Kubernetes(Part):
    """What stands on a Kubernetes cluster."""

    argocd: ArgoCd
    kfp: Kfp
    gateway: Gateway = Field(default_factory=Gateway)


class TolerationOperator(StrEnum):
    """How a taint is compared."""

    EXISTS = "Exists"
    EQUAL = "Equal"


class TaintEffect(StrEnum):
    """What a taint does to pods that do not tolerate it."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class Toleration(Part):
    """A taint that pods on these nodes bear."""

    key: _LABEL
    operator: TolerationOperator = TolerationOperator.EQUAL
    value: Annotated[str, Field(max_length=63)] | None = None
    effect: TaintEffect | None = None
    """Absent: every effect."""


class GpuPool(Part):
    """The nodes with one type of GPU."""

    type: GpuType
    count: Count
    """GPUs in all of them."""
    resource: _LABEL = "nvidia.com/gpu"
    """The extended resource that their device plugin offers."""
    node_selector: dict[_LABEL, Annotated[str, Field(max_length=63)]] = Field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()


class Capacity(Part):
    """What all nodes together offer to tenants."""

    cpus: Quantity
    memory: Quantity


class ClusterSpec(Spec):
    """One place to run and serve."""

    MUTABLE: ClassVar = frozenset({"kubernetes", "kserve", "gpu_pools", "capacity"})

    driver: Driver
    kubernetes: Kubernetes | None = None
    """Of driver `kubernetes`."""
    kserve: KServe = Field(default_factory=KServe)
    gpu_pools: tuple[GpuPool, ...] = ()
    capacity: Capacity | None = None
    """Absent: whatever is there; quotas are then not held against it."""

    @model_validator(mode="after")
    def _driver_is_told(self) -> Self:
        if (self.driver is Driver.KUBERNETES) != (self.kubernetes is not None):
            raise refuse("invalid-value", "`driver: kubernetes` and `kubernetes` come together", "give both or neither")
        return self

    def gpu_pool(self, gpu: str) -> GpuPool | None:
        """Return the pool of a type of GPU."""
        return next((pool for pool in self.gpu_pools if pool.type == gpu), None)
