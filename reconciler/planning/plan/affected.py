"""Which units a change reaches: `renderers.rendering.sources` turned around, without looking at every unit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from intents.documents import Document, of_spec
from intents.identity import Identity, identify
from intents.kinds import Kind, PlatformSpec, ProjectSpec, TrainingJobSpec
from intents.kinds.platform import ChangeLimits
from intents.tree import PLATFORM_PATH, Tree
from renderers.rendering import units
from renderers.unit import Unit, UnitKind

Project = Document[ProjectSpec]


def affected_units(base: Tree, head: Tree, paths: Iterable[str]) -> list[Unit]:
    """Return, in order, the units of either tree that have an intent at one of `paths` among their sources."""
    trees = (_Places(base), _Places(head))
    reaching = (path for path in paths if path != PLATFORM_PATH or _platform_shows(base, head))
    who = [identity for path in reaching if (identity := identify(path))]
    return sorted({unit for places in trees for each in who for unit in places.fed_by(each)})


_NOT_RENDERED = {"prices": None, "change_limits": ChangeLimits()}
"""Fields of the platform that no manifest follows from; for them alone, every unit would be rendered."""


def _platform_shows(base: Tree, head: Tree) -> bool:
    before, after = (of_spec(tree.get(PLATFORM_PATH), PlatformSpec) for tree in (base, head))
    if before is None or after is None or before is after:
        return True
    one, other = (each.spec.model_copy(update=_NOT_RENDERED) for each in (before, after))
    return one != other


@dataclass
class _Places:
    """Where the projects of one tree are; read once for all paths of a change."""

    tree: Tree
    _projects: dict[str, list[Project]] = field(init=False)

    def __post_init__(self) -> None:
        self._projects = {}
        for each in self.tree.of_kind(Kind.PROJECT).values():
            if (project := of_spec(each, ProjectSpec)) is not None:
                self._projects.setdefault(each.identity.tenant, []).append(project)

    def fed_by(self, who: Identity) -> Iterator[Unit]:
        """Yield the units of the tree that follow from the intent of that name, be it there or not."""
        match who.kind:
            case Kind.PLATFORM:
                for each in self.tree.of_kind(Kind.CLUSTER).values():
                    yield from units(self.tree, each.identity.name)
            case Kind.CLUSTER:
                if self.tree.cluster(who.name) is not None:
                    yield from units(self.tree, who.name)
            case Kind.TENANT:
                for project in self._projects.get(who.name, ()):
                    yield Unit(UnitKind.TENANT, project.spec.cluster, who.name)
                    yield from self._in_project(project)
            case Kind.PROJECT:
                for project in self._projects.get(who.tenant, ()):
                    yield Unit(UnitKind.TENANT, project.spec.cluster, who.tenant)
                    if project.identity.name == who.name:
                        yield from self._in_project(project)
            case Kind.MODEL_DEPLOYMENT | Kind.ROLLOUT:
                # What one deployment of a project uses leaves room for the others, or none.
                for name in self.tree.deployments(who.tenant, who.project):
                    yield from self._workload(UnitKind.DEPLOYMENT, replace(who, name=name))
            case Kind.TRAINING_JOB if self.tree.training_job(who.tenant, who.project, who.name):
                yield from self._workload(UnitKind.TRAINING_JOB, who)
            case Kind.TEMPLATE:
                for job in self._jobs_of(f"{who.name}@{who.version}"):
                    yield from self._workload(UnitKind.TRAINING_JOB, job)

    def _in_project(self, project: Project) -> Iterator[Unit]:
        who = project.identity
        yield Unit(UnitKind.PROJECT, project.spec.cluster, who.tenant, who.project)
        for kind, sort in ((UnitKind.DEPLOYMENT, Kind.MODEL_DEPLOYMENT), (UnitKind.TRAINING_JOB, Kind.TRAINING_JOB)):
            for each in self.tree.in_project(sort, who.tenant, who.project).values():
                yield Unit(kind, project.spec.cluster, who.tenant, who.project, each.identity.name)

    def _workload(self, kind: UnitKind, who: Identity) -> Iterator[Unit]:
        project = self.tree.project(who.tenant, who.project)
        if project is not None:
            yield Unit(kind, project.spec.cluster, who.tenant, who.project, who.name)

    def _jobs_of(self, template: str) -> Iterator[Identity]:
        for each in self.tree.of_kind(Kind.TRAINING_JOB).values():
            if isinstance(each.spec, TrainingJobSpec) and each.spec.template == template:
                yield each.identity
