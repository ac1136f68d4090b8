"""Cluster: where runs and models are executed."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from intents.kinds.base import Count, GpuType, Part, Quantity, Spec, Url, refuse
from intents.kinds.network import Ports, ReachableCidr

_DOMAIN = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*/"
_WORD = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_LABEL = Annotated[str, Field(max_length=317, pattern=rf"^(?:{_DOMAIN})?{_WORD}$")]
"""The key of a Kubernetes label or taint: a domain of up to 253 characters and `/` if any, and up to 63."""
_LABEL_VALUE = Annotated[str, Field(max_length=63, pattern=rf"^(?:{_WORD})?$")]
_EXTENDED_RESOURCE = Annotated[str, Field(max_length=317, pattern=rf"^{_DOMAIN}{_WORD}$")]
"""A resource that a device plugin offers; those without a domain, such as cpu, are Kubernetes' own."""
_NAMESPACE = Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9](?:-?[a-z0-9])*$")]
"""One of the platform's own: those of tenants hold `--`."""
_SECRET = Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$")]


class Driver(StrEnum):
    """What makes rendered manifests real: `local` is this machine, `kubernetes` is Argo CD, KFP and KServe."""

    LOCAL = "local"
    KUBERNETES = "kubernetes"


class KServeMode(StrEnum):
    """How KServe deploys: Standard makes plain Deployments, Knative makes Knative Services."""

    STANDARD = "Standard"
    KNATIVE = "Knative"


class KServe(Part):
    """The KServe that manifests are rendered for."""

    mode: KServeMode = KServeMode.STANDARD
    version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+$")] = "0.20"
    """The release of KServe, as MAJOR.MINOR."""
    ingress_namespace: _NAMESPACE = "kourier-system"
    """Of mode Knative: the namespace that Knative's ingress runs in."""


class ArgoCd(Part):
    """The Argo CD that applies the rendered branch."""

    namespace: _NAMESPACE = "argocd"
    """The namespace Argo CD runs in."""
    repo_url: Annotated[Url, Field(alias="repoURL")]
    """Where Argo CD reads the rendered branch."""


class Kfp(Part):
    """The Kubeflow Pipelines API that runs are submitted to."""

    endpoint: Url
    """The address of the KFP API server."""
    namespace: _NAMESPACE = "kubeflow"
    """Where its servers run; the steps of runs report to them."""


class Gateway(Part):
    """The Gateway API implementation at the edge."""

    class_: Annotated[str, Field(alias="class", pattern=r"^[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?$", max_length=63)] = (
        "ordain"
    )
    """The GatewayClass that Gateways are made of."""
    namespace: _NAMESPACE = "envoy-gateway-system"
    """Where its proxies run; model servers answer to them alone."""


class Credentials(Part):
    """Secrets that stand in every project's namespace, by name: how they come there is the installation's matter."""

    object_store: _SECRET = "ordain-object-store"
    """S3 keys of that project, annotated as KServe's storage initializer reads them."""
    images: _SECRET | None = None
    """Of type kubernetes.io/dockerconfigjson. Absent: images are pulled without credentials."""


class PlatformEgress(Part):
    """What pods of every project must reach over TCP: a network, or a namespace of the same cluster."""

    to: ReachableCidr | None = None
    """A network in CIDR notation, such as 10.96.0.1/32."""
    namespace: _NAMESPACE | None = None
    """A namespace of the same cluster, such as that of the object store."""
    ports: Ports
    """The TCP ports; in a namespace those of the pods, not of their Services."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.to is None) == (self.namespace is None):
            raise refuse(
                "invalid-value", "an egress goes either `to` a network or to a `namespace`", "give exactly one"
            )
        return self


class PolicyEngine(StrEnum):
    """What enforces the platform's rules: Kubernetes itself, or Kyverno, which reports on what was there before too."""

    VALIDATING_ADMISSION_POLICY = "ValidatingAdmissionPolicy"
    KYVERNO = "Kyverno"


class Kubernetes(Part):
    """What stands on a Kubernetes cluster."""

    argocd: ArgoCd
    kfp: Kfp
    gateway: Gateway = Field(default_factory=Gateway)
    credentials: Credentials = Field(default_factory=Credentials)
    egress: tuple[PlatformEgress, ...] = ()
    """What the platform's own containers need of every project: the Kubernetes API, the object store."""
    policy_engine: PolicyEngine = PolicyEngine.VALIDATING_ADMISSION_POLICY


class TolerationOperator(StrEnum):
    """How a taint is compared: Exists looks at the key alone, Equal at key and value."""

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
    """The key of the taint."""
    operator: TolerationOperator = TolerationOperator.EQUAL
    value: _LABEL_VALUE | None = None
    """The value of the taint; for the operator Equal."""
    effect: TaintEffect | None = None
    """The effect that is borne; absent: every effect."""

    @model_validator(mode="after")
    def _compares_what_is_given(self) -> Self:
        if self.operator is TolerationOperator.EXISTS and self.value is not None:
            raise refuse("invalid-value", "the operator Exists looks at no value", "remove `value`, or write Equal")
        return self


class GpuPool(Part):
    """The nodes with one type of GPU."""

    type: GpuType
    """What this type of GPU is called in quotas and resources, such as nvidia-l4."""
    count: Count
    """How many GPUs of the type all nodes have together."""
    resource: _EXTENDED_RESOURCE = "nvidia.com/gpu"
    """The extended resource that the device plugin of the nodes offers."""
    node_selector: dict[_LABEL, _LABEL_VALUE] = Field(default_factory=dict)
    """Labels of the nodes that have these GPUs."""
    tolerations: tuple[Toleration, ...] = ()
    """Taints of those nodes that pods with such a GPU bear."""


class Capacity(Part):
    """What all nodes together offer to tenants."""

    cpus: Quantity
    """CPUs of all nodes together."""
    memory: Quantity
    """Memory of all nodes together."""


class ClusterSpec(Spec):
    """One place where runs are executed and models are served."""

    MUTABLE: ClassVar = frozenset({"kubernetes", "kserve", "gpu_pools", "capacity"})

    driver: Driver
    kubernetes: Kubernetes | None = None
    """What stands on the cluster; given with the driver `kubernetes`, and only with it."""
    kserve: KServe = Field(default_factory=KServe, examples=[{"mode": "Standard", "version": "0.20"}])
    gpu_pools: tuple[GpuPool, ...] = Field(default=(), examples=[[{"type": "nvidia-l4", "count": 8}]])
    """The GPUs of the cluster, one pool a type; a type without a pool cannot be used there."""
    capacity: Capacity | None = Field(default=None, examples=[{"cpus": 64, "memory": "256Gi"}])
    """What all nodes together offer to tenants; absent: quotas are not held against it."""

    @model_validator(mode="after")
    def _driver_is_told(self) -> Self:
        if (self.driver is Driver.KUBERNETES) != (self.kubernetes is not None):
            raise refuse("invalid-value", "`driver: kubernetes` and `kubernetes` come together", "give both or neither")
        return self

    def gpu_pool(self, gpu: str) -> GpuPool | None:
        """Return the pool of a type of GPU."""
        return next((pool for pool in self.gpu_pools if pool.type == gpu), None)
