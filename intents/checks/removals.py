"""What may not be removed: whatever another intent still needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from intents.checks.asking import users_of
from intents.checks.rule import Change
from intents.checks.serving import served_models
from intents.identity import IN_PROJECT
from intents.kinds import Kind, ProjectSpec, TemplateSpec
from intents.problems import Problem
from intents.tree import PLATFORM_PATH


def platform_stays(_: Change) -> Iterator[Problem]:
    """A tree has a platform."""
    hint = "put it back; in a new repository write it: `ordain explain Platform` has its fields"
    yield Problem("no-platform", PLATFORM_PATH, 0, 0, "the platform's own settings are missing", hint)


def cluster_is_unused(change: Change) -> Iterator[Problem]:
    """No project is on it."""
    name = change.removed.identity.name
    projects = change.head.of_kind(Kind.PROJECT)
    users = (
        path for path, each in projects.items() if isinstance(each.spec, ProjectSpec) and each.spec.cluster == name
    )
    yield from _still(change, "in-use", f"cluster {name} is used by", users)


def tenant_is_empty(change: Change) -> Iterator[Problem]:
    """It has no project, and no template is offered to it by name."""
    name = change.removed.identity.name
    projects = change.head.of_kind(Kind.PROJECT)
    mine = (path for path, each in projects.items() if each.identity.tenant == name)
    yield from _still(change, "not-empty", f"tenant {name} still has", mine)
    templates = change.head.of_kind(Kind.TEMPLATE)
    offered = (
        path for path, each in templates.items() if isinstance(each.spec, TemplateSpec) and name in each.spec.tenants
    )
    yield from _still(change, "in-use", f"tenant {name} is named by", offered)


def project_is_empty(change: Change) -> Iterator[Problem]:
    """Nothing lies in it."""
    who = change.removed.identity
    inside = (path for kind in IN_PROJECT for path in change.head.in_project(kind, who.tenant, who.project))
    yield from _still(change, "not-empty", f"project {who.name} still has", inside)


def template_is_unused(change: Change) -> Iterator[Problem]:
    """No run, schedule or training job names it; looks at all of them, which is rare enough."""
    who = change.removed.identity
    users = (each.path for each in users_of(change))
    yield from _still(change, "in-use", f"template {who.name}@{who.version} is used by", users)


def model_version_is_unused(change: Change) -> Iterator[Problem]:
    """No deployment names it, and no rollout as live or last good."""
    who = change.removed.identity
    reference = f"{who.name}@{who.version}"
    kinds = (Kind.MODEL_DEPLOYMENT, Kind.ROLLOUT)
    served = (each for kind in kinds for each in change.head.in_project(kind, who.tenant, who.project).values())
    users = (each.path for each in served if reference in served_models(each))
    yield from _still(change, "in-use", f"model version {reference} is used by", users)


def _still(change: Change, code: str, message: str, users: Iterable[str]) -> Iterator[Problem]:
    found = sorted(users)
    if found:
        others = f" and {len(found) - 1} more" if len(found) > 1 else ""
        hint = "change or remove them first, or in the same change"
        yield Problem(code, change.path, 0, 0, f"{message} {found[0]}{others}", hint)
