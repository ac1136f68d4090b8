"""What the platform's rules say to the objects that a change brings, at once and by the rollouts it sets off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from intents.documents import of_spec
from intents.kinds import PlatformSpec
from intents.kinds.platform import Enforcement, PolicyRule
from intents.tree import PLATFORM_PATH, Tree
from reconciler.planning.plan.manifests import Pair, Rendering
from renderers.canonical import Manifest
from renderers.policies.verdicts import verdicts
from renderers.unit import Unit


@dataclass(frozen=True)
class PolicyVerdict:
    """One object breaks one rule: `enforce` says that the cluster refuses it, `audit` that it only tells."""

    rule: PolicyRule
    enforcement: Enforcement
    cluster: str
    kind: str
    namespace: str
    name: str
    message: str


Objects = Iterable[tuple[Unit, Manifest]]


def policy_verdicts(
    base: Tree, head: Tree, before: Rendering, after: Rendering, brought: Iterable[Pair]
) -> Iterator[PolicyVerdict]:
    """Yield what breaks a rule after the change: objects that it brings, and others that broke none before.

    `before` and `after` are all units that the change reaches, so that a rule that changes is held against everything
    it is about; `brought` are the manifests that differ, those among them that rollouts bring later.
    """
    new = ((pair.unit, pair.after) for pair in brought if pair.after is not None)
    found = {*_judged(head, new), *(set(_judged(head, _all(after))) - set(_judged(base, _all(before))))}
    yield from sorted(found, key=lambda each: (each.cluster, each.namespace, each.kind, each.name, each.rule))


def _all(rendering: Rendering) -> Objects:
    return ((unit, each) for unit, manifests in rendering.units.items() for each in manifests.values())


def _judged(tree: Tree, objects: Objects) -> Iterator[PolicyVerdict]:
    platform = of_spec(tree.get(PLATFORM_PATH), PlatformSpec)
    by_tenant: dict[tuple[str, str], list[Manifest]] = {}
    for unit, manifest in objects:
        by_tenant.setdefault((unit.cluster, unit.tenant), []).append(manifest)
    for (name, whose), mine in by_tenant.items():
        cluster, tenant = tree.cluster(name), tree.tenant(whose)
        if platform is not None and cluster is not None and tenant is not None:
            for each in verdicts(mine, platform.spec, cluster.spec, tenant.spec):
                what = each.kind, each.namespace, each.name
                yield PolicyVerdict(each.rule, each.enforcement, name, *what, each.message)
