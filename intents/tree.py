"""All intents of one commit, indexed and immutable.

A tree shares everything with the tree it was advanced from but the changed entries, so the tree at every
commit can be held, compared and thrown away at the cost of the change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from immutables import Map

from intents.documents import Document, of_spec
from intents.identity import Identity, path_of
from intents.kinds import (
    ClusterSpec,
    Kind,
    ModelDeploymentSpec,
    ModelVersionSpec,
    PlatformSpec,
    ProjectSpec,
    RolloutSpec,
    RunSpec,
    ScheduleSpec,
    Spec,
    TemplateSpec,
    TenantSpec,
    TrainingJobSpec,
)
from intents.problems import InvalidIntent, Problem

AnyDocument: TypeAlias = Document[Spec]
Scope: TypeAlias = tuple[Kind, str, str]
"""Kind, tenant, project; projects also without their own name, as a tenant's."""
Named: TypeAlias = tuple[Kind, str, str, str]
"""Kind, tenant, project, name: all versions of a template or model, all runs of one name."""
Key = TypeVar("Key", Kind, Scope, Named, str)

PLATFORM_PATH = path_of(Identity(Kind.PLATFORM, "platform"))
_NONE: Map[str, AnyDocument] = Map()


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """Every intent by its path, with the indexes the lookups need. Make one with `Tree.empty().advance`."""

    _paths: Map[str, AnyDocument]
    _kinds: Map[Kind, Map[str, AnyDocument]]
    _scopes: Map[Scope, Map[str, AnyDocument]]
    _names: Map[Named, Map[str, AnyDocument]]
    _hosts: Map[str, Map[str, AnyDocument]]
    """Host label → the tenants that claim it, by path; more than one only in a tree that is refused."""

    @staticmethod
    def empty() -> Tree:
        """Return the tree without intents."""
        return Tree(Map(), Map(), Map(), Map(), Map())

    def advance(self, changes: Mapping[str, AnyDocument | None]) -> Tree:
        """Return this tree with each path set to its new document, or removed. Costs O(changes)."""
        if not changes:
            return self
        old = {path: self._paths[path] for path in changes if path in self._paths}
        new = {path: document for path, document in changes.items() if document is not None}
        return Tree(
            _changed(self._paths, old, new),
            _reindexed(self._kinds, old, new, _kind),
            _reindexed(self._scopes, old, new, _scope),
            _reindexed(self._names, old, new, _named),
            _reindexed(self._hosts, old, new, _hosts),
        )

    def __len__(self) -> int:
        return len(self._paths)

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __contains__(self, path: str) -> bool:
        return path in self._paths

    def get(self, path: str) -> AnyDocument | None:
        """Return the intent at `path`."""
        return self._paths.get(path)

    def of_kind(self, kind: Kind) -> Mapping[str, AnyDocument]:
        """Return all intents of a kind by path."""
        return self._kinds.get(kind, _NONE)

    def in_project(self, kind: Kind, tenant: str, project: str) -> Mapping[str, AnyDocument]:
        """Return a project's intents of one kind by path."""
        return self._scopes.get((kind, tenant, project), _NONE)

    @property
    def platform(self) -> PlatformSpec:
        """The platform's settings. Raises InvalidIntent in a tree without any."""
        document = of_spec(self.get(PLATFORM_PATH), PlatformSpec)
        if document is None:
            message = f"the tree has no {PLATFORM_PATH}"
            raise InvalidIntent([Problem("no-platform", PLATFORM_PATH, 0, 0, message)])
        return document.spec

    def cluster(self, name: str) -> Document[ClusterSpec] | None:
        """Return a cluster."""
        return of_spec(self._at(Kind.CLUSTER, name), ClusterSpec)

    def tenant(self, name: str) -> Document[TenantSpec] | None:
        """Return a tenant."""
        return of_spec(self._at(Kind.TENANT, name, name), TenantSpec)

    def project(self, tenant: str, project: str) -> Document[ProjectSpec] | None:
        """Return a project."""
        return of_spec(self._at(Kind.PROJECT, project, tenant, project), ProjectSpec)

    def projects(self, tenant: str) -> dict[str, Document[ProjectSpec]]:
        """Return a tenant's projects by name."""
        known = self._scopes.get((Kind.PROJECT, tenant, ""), _NONE)
        mine = (of_spec(each, ProjectSpec) for _, each in sorted(known.items()))
        return {each.identity.name: each for each in mine if each}

    def templates(self) -> dict[str, Document[TemplateSpec]]:
        """Return all templates by `name@version`, the versions of each from old to new."""
        found = [of_spec(each, TemplateSpec) for each in self.of_kind(Kind.TEMPLATE).values()]
        ordered = sorted((each for each in found if each), key=_template_order)
        return {f"{each.identity.name}@{each.identity.version}": each for each in ordered}

    def template(self, reference: str) -> Document[TemplateSpec] | None:
        """Return the template `name@version`, or the newest version of `name`."""
        name, _, version = reference.partition("@")
        known = self._names.get((Kind.TEMPLATE, "", "", name), _NONE).values()
        if version:
            known = [each for each in known if each.identity.version == version]
        return of_spec(max(known, key=_template_order, default=None), TemplateSpec)

    def models(self, tenant: str, project: str) -> tuple[str, ...]:
        """Return the names of a project's registered models."""
        known = self.in_project(Kind.MODEL_VERSION, tenant, project).values()
        return tuple(sorted({each.identity.name for each in known}))

    def model_versions(self, tenant: str, project: str, model: str) -> dict[int, Document[ModelVersionSpec]]:
        """Return the versions of a model by number, from the first."""
        known = self._names.get((Kind.MODEL_VERSION, tenant, project, model), _NONE).values()
        found = {int(each.identity.version): of_spec(each, ModelVersionSpec) for each in known}
        return {number: each for number, each in sorted(found.items()) if each}

    def model_version(self, tenant: str, project: str, reference: str) -> Document[ModelVersionSpec] | None:
        """Return the model version `name@number` of a project."""
        name, _, number = reference.partition("@")
        known = self._names.get((Kind.MODEL_VERSION, tenant, project, name), _NONE).values()
        found = (each for each in known if each.identity.version == number)
        return of_spec(next(found, None), ModelVersionSpec)

    def deployment(self, tenant: str, project: str, name: str) -> Document[ModelDeploymentSpec] | None:
        """Return what is to be served under `name`."""
        return of_spec(self._at(Kind.MODEL_DEPLOYMENT, name, tenant, project), ModelDeploymentSpec)

    def deployments(self, tenant: str, project: str) -> dict[str, Document[ModelDeploymentSpec]]:
        """Return a project's deployments by name."""
        known = self.in_project(Kind.MODEL_DEPLOYMENT, tenant, project).values()
        found = {each.identity.name: of_spec(each, ModelDeploymentSpec) for each in known}
        return {name: each for name, each in sorted(found.items()) if each}

    def rollout(self, tenant: str, project: str, name: str) -> Document[RolloutSpec] | None:
        """Return what is served now under the deployment `name`."""
        return of_spec(self._at(Kind.ROLLOUT, name, tenant, project), RolloutSpec)

    def runs(self, tenant: str, project: str) -> Mapping[str, Document[RunSpec]]:
        """Return a project's runs by path."""
        return self.in_project(Kind.RUN, tenant, project)  # type: ignore[return-value]

    def run(self, tenant: str, project: str, name: str) -> Document[RunSpec] | None:
        """Return the run of that name; a name is used once in a project, whatever its date."""
        known = self._names.get((Kind.RUN, tenant, project, name), _NONE)
        return of_spec(next(iter(known.values()), None), RunSpec)

    def schedule(self, tenant: str, project: str, name: str) -> Document[ScheduleSpec] | None:
        """Return a schedule."""
        return of_spec(self._at(Kind.SCHEDULE, name, tenant, project), ScheduleSpec)

    def training_job(self, tenant: str, project: str, name: str) -> Document[TrainingJobSpec] | None:
        """Return a training job."""
        return of_spec(self._at(Kind.TRAINING_JOB, name, tenant, project), TrainingJobSpec)

    def named(self, identity: Identity) -> Mapping[str, AnyDocument]:
        """Return, by path, all of a kind and name in a project: versions, or runs of other dates."""
        return self._names.get(_name_of(identity), _NONE)

    def claimants(self, label: str) -> Mapping[str, AnyDocument]:
        """Return, by path, the tenants that claim a host label."""
        return self._hosts.get(label, _NONE)

    def hostnames(self) -> dict[str, str]:
        """Return tenants by full host name."""
        domain = self.platform.base_domain
        claims = sorted(self._hosts.items())
        return {f"{label}.{domain}": known[min(known)].identity.name for label, known in claims}

    def _at(self, kind: Kind, name: str, tenant: str = "", project: str = "") -> AnyDocument | None:
        known = self._names.get((kind, tenant, project, name), _NONE)
        return next(iter(known.values()), None)


def _template_order(document: AnyDocument) -> tuple[str, list[int]]:
    identity = document.identity
    return identity.name, [int(part) for part in identity.version.split(".")]


def _kind(document: AnyDocument) -> tuple[Kind, ...]:
    return (document.identity.kind,)


def _scope(document: AnyDocument) -> tuple[Scope, ...]:
    identity = document.identity
    mine = (identity.kind, identity.tenant, identity.project)
    return (mine, (identity.kind, identity.tenant, "")) if identity.kind is Kind.PROJECT else (mine,)


def _named(document: AnyDocument) -> tuple[Named, ...]:
    return (_name_of(document.identity),)


def _name_of(identity: Identity) -> Named:
    return (identity.kind, identity.tenant, identity.project, identity.name)


def _hosts(document: AnyDocument) -> tuple[str, ...]:
    return document.spec.hostnames if isinstance(document.spec, TenantSpec) else ()


def _changed(
    entries: Map[str, AnyDocument], old: Mapping[str, AnyDocument], new: Mapping[str, AnyDocument]
) -> Map[str, AnyDocument]:
    draft = entries.mutate()
    for path in old.keys() - new.keys():
        del draft[path]
    draft.update(new)
    return draft.finish()


def _reindexed(
    index: Map[Key, Map[str, AnyDocument]],
    old: Mapping[str, AnyDocument],
    new: Mapping[str, AnyDocument],
    keys: Callable[[AnyDocument], tuple[Key, ...]],
) -> Map[Key, Map[str, AnyDocument]]:
    """Move documents between an index's groups; a group without entries is dropped."""
    removed, added = _grouped(old, keys), _grouped(new, keys)
    draft = index.mutate()
    for key in removed.keys() | added.keys():
        group = _changed(draft.get(key, _NONE), removed.get(key, {}), added.get(key, {}))
        if group:
            draft[key] = group
        else:
            del draft[key]
    return draft.finish()


def _grouped(
    documents: Mapping[str, AnyDocument], keys: Callable[[AnyDocument], tuple[Key, ...]]
) -> dict[Key, dict[str, AnyDocument]]:
    groups: dict[Key, dict[str, AnyDocument]] = {}
    for path, document in documents.items():
        for key in keys(document):
            groups.setdefault(key, {})[path] = document
    return groups
