"""The deployments that a change touches: what is asked and what is live of each, before and after."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from intents.documents import Document
from intents.identity import Identity, identify, path_of
from intents.kinds import Kind, ModelDeploymentSpec, RolloutSpec
from intents.kinds.model_deployment import Version
from intents.tree import Tree
from intents.usage import pods_of
from reconciler.planning.plan.peak import Peak
from reconciler.planning.plan.walk import Walk, settled, walk_of
from renderers.unit import Unit, UnitKind

_KINDS = frozenset({Kind.MODEL_DEPLOYMENT, Kind.ROLLOUT})


@dataclass(frozen=True)
class Standing:
    """One deployment in one tree."""

    target: Document[ModelDeploymentSpec] | None
    rollout: Document[RolloutSpec] | None

    @cached_property
    def walk(self) -> Walk:
        """What the rollout controller does from here on."""
        return walk_of(self.target, self.rollout)

    @cached_property
    def peak(self) -> Peak:
        """What it may use at once; without a ModelDeployment nothing is served."""
        rollout = self.rollout.spec if self.rollout and self.target else None
        return Peak(pods_of(self.target.spec if self.target else None, rollout))

    @cached_property
    def settled(self) -> tuple[Version, ...]:
        """The versions that stay once it is over."""
        return settled(self.target, self.rollout)


@dataclass(frozen=True)
class Touched:
    """One deployment of which the ModelDeployment or the Rollout differs."""

    tenant: str
    project: str
    name: str
    before: Standing
    after: Standing

    def unit(self, cluster: str) -> Unit:
        """Return what its manifests are rendered as."""
        return Unit(UnitKind.DEPLOYMENT, cluster, self.tenant, self.project, self.name)

    @property
    def rollout_path(self) -> str:
        """Where its Rollout lies or will lie."""
        return path_of(Identity(Kind.ROLLOUT, self.name, self.tenant, self.project))


def touched_deployments(base: Tree, head: Tree, paths: Iterable[str]) -> list[Touched]:
    """Return the deployments that lie at `paths`, in order."""
    found = (identify(path) for path in paths)
    names = {(who.tenant, who.project, who.name) for who in found if who is not None and who.kind in _KINDS}
    return [Touched(*name, _standing(base, *name), _standing(head, *name)) for name in sorted(names)]


def walked(tree: Tree, touched: Iterable[Touched]) -> Tree:
    """Return `tree`, the one after the change, as it will be when every walk is over."""
    return tree.advance({each.rollout_path: _arrived(each) for each in touched if each.after.walk.steps})


def _arrived(touched: Touched) -> Document[RolloutSpec]:
    """Return a Rollout as it will stand; nobody has committed it, so it has no bytes and no blob."""
    who = Identity(Kind.ROLLOUT, touched.name, touched.tenant, touched.project)
    target, live = touched.after.target, touched.after.walk.end
    spec = RolloutSpec(of=target.blob if target else "0" * 40, live=live)
    return Document(touched.rollout_path, who, spec, "", b"")


def _standing(tree: Tree, tenant: str, project: str, name: str) -> Standing:
    return Standing(tree.deployment(tenant, project, name), tree.rollout(tenant, project, name))
