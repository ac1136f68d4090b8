"""What a rule is given, and what rules share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple, Self, TypeAlias

from intents.checks.amounts import CPUS, MEMORY, limit
from intents.checks.facts import Facts
from intents.documents import Document
from intents.kinds import ClusterSpec, ProjectSpec, TemplateSpec, TenantSpec
from intents.problems import Problem
from intents.totals import Totals, totals, totals_after
from intents.tree import AnyDocument, Tree
from intents.usage import Amounts


@dataclass(frozen=True, slots=True)
class Room:
    """What is above an intent: project, tenant and cluster, and the least that they give of everything."""

    project: Document[ProjectSpec] | None
    tenant: Document[TenantSpec] | None
    cluster: Document[ClusterSpec] | None
    cpus: Decimal | None
    memory: Decimal | None

    @classmethod
    def of(cls, tree: Tree, tenant: str, project: Document[ProjectSpec] | None) -> Self:
        """Return what is above the intents of a project."""
        cluster = tree.cluster(project.spec.cluster) if project else None
        owners = (project, tree.tenant(tenant), cluster)
        cpus, memory = (
            min((found for each in owners if each and (found := limit(each.spec, resource)) is not None), default=None)
            for resource in (CPUS, MEMORY)
        )
        return cls(*owners, cpus, memory)

    def surely_holds(self, needed: Amounts) -> bool:
        """Whether there is no need to look closer."""
        if needed.gpus or (self.cpus is not None and needed.cpus > self.cpus):
            return False
        return self.memory is None or needed.memory <= self.memory


@dataclass(frozen=True)
class World:
    """What is the same for all paths of one check."""

    base: Tree
    head: Tree
    changed: Collection[str] | None = None
    """Paths at which the two differ; None where that is not known."""
    facts: Facts | None = None

    @cached_property
    def used_before(self) -> Totals:
        """What deployments may use in `base`."""
        return totals(self.base)

    @cached_property
    def used_after(self) -> Totals:
        """What deployments may use in `head`."""
        if self.changed is None:
            return totals(self.head)
        return totals_after(self.base, self.head, self.changed)

    def project(self, tenant: str, project: str) -> Document[ProjectSpec] | None:
        """Return a project as it is to be; looked up once for all that is in it."""
        key = (tenant, project)
        if key not in self._projects:
            self._projects[key] = self.head.project(tenant, project)
        return self._projects[key]

    def room(self, tenant: str, project: str) -> Room:
        """Return what anything in a project could ever have; made once for all that is in it."""
        key = (tenant, project)
        if key not in self._rooms:
            self._rooms[key] = Room.of(self.head, tenant, self.project(tenant, project))
        return self._rooms[key]

    def template(self, reference: str) -> Document[TemplateSpec] | None:
        """Return a template as it is to be; looked up once for all that name it."""
        if reference not in self._templates:
            self._templates[reference] = self.head.template(reference)
        return self._templates[reference]

    @cached_property
    def _templates(self) -> dict[str, Document[TemplateSpec] | None]:
        return {}

    @cached_property
    def _projects(self) -> dict[tuple[str, str], Document[ProjectSpec] | None]:
        return {}

    @cached_property
    def _rooms(self) -> dict[tuple[str, str], Room]:
        return {}

    @cached_property
    def differing(self) -> tuple[str, ...]:
        """The paths whose intents are not the same before and after, in order."""
        paths = {*self.base, *self.head} if self.changed is None else set(self.changed)
        return tuple(sorted(path for path in paths if differs(self.base.get(path), self.head.get(path))))


class Change(NamedTuple):
    """One path, with the trees before and after."""

    world: World
    base: Tree
    head: Tree
    path: str
    before: AnyDocument | None
    after: AnyDocument | None

    @staticmethod
    def of(world: World, path: str) -> Change:
        """Return what happens to `path`."""
        base, head = world.base, world.head
        return Change(world, base, head, path, base.get(path), head.get(path))

    @property
    def document(self) -> Document:
        """The intent as it is to be. Only for rules of intents that are there."""
        if self.after is None:
            raise LookupError(self.path)
        return self.after

    @property
    def removed(self) -> Document:
        """The intent as it was. Only for rules of removals."""
        if self.before is None:
            raise LookupError(self.path)
        return self.before


Rule: TypeAlias = Callable[[Change], Iterable[Problem]]


def differs(before: AnyDocument | None, after: AnyDocument | None) -> bool:
    """Whether an intent was added, removed or edited."""
    if before is None or after is None:
        return before is not after
    return before is not after and (before.blob != after.blob or not after.blob)


def repeated(names: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield position and name of each name that was there before."""
    seen: set[str] = set()
    for position, name in enumerate(names):
        if name in seen:
            yield position, name
        seen.add(name)
