"""The table of rules: what each asks of an object, as CEL, for one platform and one cluster."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from intents.images import (
    DOCKER_HUB,
    HAS_REGISTRY,
    HAS_VERSION,
    HUB_ALIAS,
    LATEST,
    LIBRARY,
    OFFICIAL,
    pattern_regex,
)
from intents.kinds import ClusterSpec, PlatformSpec, TenantSpec
from intents.kinds.cluster import GpuPool
from intents.kinds.platform import Enforcement, PolicyRule
from renderers.pools import by_resource

GPU_LABEL = "gpu.ordain.dev/"
"""On namespaces, followed by a type of GPU that pods there may use."""


class Scope(Enum):
    """What a predicate is held against; all of it must satisfy the predicate."""

    KIND = "{holds}"
    """`object.apiVersion` and `object.kind`. The predicate sees nothing else."""
    SPECS = "variables.judged.all(j, {holds})"
    """`j.spec`, whole or in part as `j.whole` says, with `j.containers`."""
    CONTAINERS = "variables.judged.all(j, j.containers.all(c, {holds}))"
    """`c` of `j`: containers that can have resources."""
    EVERY_CONTAINER = "variables.judged.all(j, (j.containers + j.ephemeral).all(c, {holds}))"
    """`c` of `j`: those for debugging included."""
    IMAGES = (
        "variables.judged.all(j, (j.containers + j.ephemeral).all(c, !has(c.image) || [c.image].all(image, {holds})))"
    )
    """`image` of every container that names one. The predicate sees nothing else."""


@dataclass(frozen=True)
class Predicate:
    """CEL that is true of everything in a scope."""

    scope: Scope
    holds: str

    @property
    def expression(self) -> str:
        """The CEL over `object`, `namespaceObject` and `variables`."""
        return self.scope.value.format(holds=self.holds)


@dataclass(frozen=True)
class Rule:
    """One rule, ready for one platform and cluster. An object keeps to it where all predicates hold."""

    name: PolicyRule
    enforcement: Enforcement
    predicates: tuple[Predicate, ...]
    message: str
    """What is wrong with an object that breaks it, and what to do."""
    pods: bool = True
    """Whether it is about objects that describe pods; otherwise about every object a tenant brings."""


def rules(platform: PlatformSpec, cluster: ClusterSpec) -> tuple[Rule, ...]:
    """Return the rules that hold on a cluster, in the order of the enum."""
    made = ((name, _RULES[name], _RULES[name].predicates(platform, cluster)) for name in PolicyRule)
    return tuple(
        Rule(name, platform.enforcement(name), predicates, row.message, pods=row.pods)
        for name, row, predicates in made
        if predicates
    )


def gpu_labels(tenant: TenantSpec) -> dict[str, str]:
    """Return the labels that a tenant's namespaces carry so that its pods may use the GPUs of its quota."""
    return {f"{GPU_LABEL}{gpu}": "allowed" for gpu in sorted(tenant.quota.gpus)}


_Predicates: TypeAlias = tuple[Predicate, ...]


@dataclass(frozen=True)
class _Row:
    message: str
    predicates: Callable[[PlatformSpec, ClusterSpec], _Predicates]
    """Empty where the rule has nothing to ask on this platform or cluster."""
    pods: bool = True


def _always(*predicates: Predicate) -> Callable[[PlatformSpec, ClusterSpec], _Predicates]:
    return lambda _platform, _cluster: predicates


def _is(thing: str, *path: str) -> str:
    """Return CEL: a flag below `thing` is there and true."""
    places = [".".join((thing, *path[:depth])) for depth in range(1, len(path) + 1)]
    return " && ".join([*(f"has({place})" for place in places), places[-1]])


COMPONENT_IMAGES = (
    "docker.io/kserve/agent",
    "docker.io/kserve/router",
    "docker.io/kserve/storage-initializer",
    "gcr.io/knative-releases/knative.dev/serving/cmd/queue",
    "ghcr.io/kubeflow/kfp-driver",
    "ghcr.io/kubeflow/kfp-launcher",
    "quay.io/argoproj/argoexec",
)
"""What KServe, Knative, KFP and Argo put into tenants' pods themselves; allowed in any version."""


def _allowed_images(platform: PlatformSpec, _cluster: ClusterSpec) -> _Predicates:
    if platform.images is None:
        return ()
    patterns = [pattern_regex(each) for each in (*platform.images.allow, *COMPONENT_IMAGES)]
    merged = "|".join(f"(?:{each.removeprefix('^').removesuffix('$')})" for each in patterns)
    return (Predicate(Scope.IMAGES, f"{_normalised('image')}.all(i, i.matches({_text(f'^(?:{merged})$')}))"),)


def _normalised(image: str) -> str:
    """Return CEL: a list of the one image in its normal form, by the steps of `intents.images`."""
    steps = (
        f"i.matches({_text(HAS_REGISTRY)}) ? i : {_text(DOCKER_HUB)} + i",
        f"i.startsWith({_text(HUB_ALIAS)}) ? {_text(DOCKER_HUB)} + i.substring({len(HUB_ALIAS)}) : i",
        f"i.matches({_text(OFFICIAL)}) ? {_text(DOCKER_HUB + LIBRARY)} + i.substring({len(DOCKER_HUB)}) : i",
        f"i.matches({_text(HAS_VERSION)}) ? i : i + {_text(LATEST)}",
    )
    return f"[{image}]" + "".join(f".map(i, {step})" for step in steps)


def _text(text: str) -> str:
    """Return a CEL string literal: JSON's are, of printable ASCII."""
    return json.dumps(text)


_SAYS = "has({0}.securityContext) && has({0}.securityContext.runAsNonRoot)"
_ROOT = "has({0}.securityContext) && has({0}.securityContext.runAsUser) && {0}.securityContext.runAsUser == 0"
# What a part leaves out, its runtime says.
_NON_ROOT = (
    f"({_SAYS.format('c')} ? c.securityContext.runAsNonRoot :"
    f" {_SAYS.format('j.spec')} ? j.spec.securityContext.runAsNonRoot : !j.whole)"
    f" && !({_ROOT.format('j.spec')}) && !({_ROOT.format('c')})"
)
_LIMITS = (
    "!j.whole || has(c.resources) && has(c.resources.limits)"
    " && 'cpu' in c.resources.limits && 'memory' in c.resources.limits"
)


def _gpu_types(_platform: PlatformSpec, cluster: ClusterSpec) -> _Predicates:
    """For each resource that a pool offers: who asks for it names a pool whose type its namespace may use."""
    return tuple(
        Predicate(Scope.SPECS, " || ".join([f"!{_asks(resource)}", *(f"({_may_use(pool)})" for pool in pools)]))
        for resource, pools in by_resource(cluster.gpu_pools).items()
    )


def _asks(resource: str) -> str:
    name = _text(resource)
    return (
        f"j.containers.exists(c, has(c.resources) && ((has(c.resources.limits) && {name} in c.resources.limits)"
        f" || (has(c.resources.requests) && {name} in c.resources.requests)))"
    )


def _may_use(pool: GpuPool) -> str:
    labels, nodes = "namespaceObject.metadata.labels", "j.spec.nodeSelector"
    selected = (
        f"has({nodes}) && {_text(key)} in {nodes} && {nodes}[{_text(key)}] == {_text(value)}"
        for key, value in sorted(pool.node_selector.items())
    )
    return " && ".join([f"has({labels}) && {_text(GPU_LABEL + pool.type)} in {labels}", *selected])


ALLOWED_KINDS: Mapping[str, tuple[str, ...]] = {
    # rendered
    "": ("LimitRange", "ResourceQuota", "ServiceAccount"),
    "gateway.envoyproxy.io": ("Backend", "BackendTrafficPolicy", "SecurityPolicy"),
    "gateway.networking.k8s.io": ("HTTPRoute", "ReferenceGrant"),
    "kueue.x-k8s.io": ("LocalQueue",),
    "networking.k8s.io": ("NetworkPolicy",),
    "policy": ("PodDisruptionBudget",),
    "rbac.authorization.k8s.io": ("Role", "RoleBinding"),
    "serving.kserve.io": ("InferenceGraph", "InferenceService"),
    "trainer.kubeflow.org": ("TrainJob",),
    # made by the pods of runs: how Argo's executor says how a step ended
    "argoproj.io": ("WorkflowTaskResult",),
}
"""What Argo CD and tenants' own accounts may create in tenants' namespaces, by API group.

What controllers make of it (Deployments, Jobs, Workflows, pods) comes from accounts that are not asked.
"""


def _allowed_kinds(_platform: PlatformSpec, _cluster: ClusterSpec) -> _Predicates:
    known = [f"{group}/{kind}" for group, kinds in sorted(ALLOWED_KINDS.items()) for kind in kinds]
    group = "object.apiVersion.contains('/') ? object.apiVersion.split('/')[0] : ''"
    return (Predicate(Scope.KIND, f"(({group}) + '/' + object.kind) in {json.dumps(known)}"),)


_RULES: Mapping[PolicyRule, _Row] = {
    PolicyRule.IMAGE_ALLOWLIST: _Row("an image is not one of the platform's images.allow", _allowed_images),
    PolicyRule.NO_PRIVILEGED: _Row(
        "a container is privileged",
        _always(Predicate(Scope.EVERY_CONTAINER, f"!({_is('c', 'securityContext', 'privileged')})")),
    ),
    PolicyRule.NO_HOST_PATH: _Row(
        "a volume is a path of the node",
        _always(Predicate(Scope.SPECS, "!has(j.spec.volumes) || j.spec.volumes.all(v, !has(v.hostPath))")),
    ),
    PolicyRule.NO_HOST_NETWORK: _Row(
        "a pod uses the node's network, processes or IPC",
        _always(
            Predicate(
                Scope.SPECS,
                " && ".join(f"!({_is('j.spec', field)})" for field in ("hostNetwork", "hostPID", "hostIPC")),
            ),
            Predicate(Scope.CONTAINERS, "!has(c.ports) || c.ports.all(p, !has(p.hostPort) || p.hostPort == 0)"),
        ),
    ),
    PolicyRule.RUN_AS_NON_ROOT: _Row(
        "a container may run as root: set securityContext.runAsNonRoot, and no runAsUser 0",
        _always(Predicate(Scope.EVERY_CONTAINER, _NON_ROOT)),
    ),
    PolicyRule.RESOURCE_LIMITS: _Row(
        "a container has no limit of CPU or memory",
        _always(Predicate(Scope.CONTAINERS, _LIMITS)),
    ),
    PolicyRule.ALLOWED_KINDS: _Row("the platform has no such kind for tenants", _allowed_kinds, pods=False),
    PolicyRule.GPU_TYPES: _Row(
        "a pod asks for a type of GPU that is not in its tenant's quota, or does not select its nodes", _gpu_types
    ),
}
