"""What a change of the tree may not do: the checks across documents. Pure.

Two principles keep a check as small as its change. A document's own rules look only at what it names. And
a reference that breaks is reported where the change breaks it: at the intent that was removed, or else at
the one that refers to nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from intents.checks.catalog import model_version_is_sound, template_is_sound
from intents.checks.changes import attempt_is_not_lowered, immutable_fields_stay, repository_stays
from intents.checks.removals import (
    cluster_is_unused,
    model_version_is_unused,
    platform_stays,
    project_is_empty,
    template_is_unused,
    tenant_is_empty,
)
from intents.checks.rule import Change, Rule
from intents.checks.runs import run_fits_template, run_name_is_new
from intents.checks.serving import affected_by_serving, deployment_is_consistent, rollout_is_consistent
from intents.checks.tenancy import (
    affected_by_tenancy,
    cluster_of_project_exists,
    default_project_exists,
    hostnames_are_its_own,
    project_exists,
    tenant_exists,
)
from intents.kinds import Kind
from intents.problems import Problem
from intents.tree import PLATFORM_PATH, Tree

RULES: Mapping[Kind, tuple[Rule, ...]] = {
    Kind.PLATFORM: (repository_stays,),
    Kind.CLUSTER: (),
    Kind.TENANT: (hostnames_are_its_own, default_project_exists),
    Kind.PROJECT: (tenant_exists, cluster_of_project_exists),
    Kind.TEMPLATE: (template_is_sound,),
    Kind.RUN: (project_exists, run_name_is_new, run_fits_template, attempt_is_not_lowered),
    Kind.SCHEDULE: (project_exists,),
    Kind.TRAINING_JOB: (project_exists, attempt_is_not_lowered),
    Kind.MODEL_VERSION: (project_exists, model_version_is_sound),
    Kind.MODEL_DEPLOYMENT: (project_exists, deployment_is_consistent),
    Kind.ROLLOUT: (project_exists, rollout_is_consistent),
}
"""What holds for every intent of a kind, besides that immutable fields stay."""

REMOVAL_RULES: Mapping[Kind, tuple[Rule, ...]] = {
    Kind.PLATFORM: (platform_stays,),
    Kind.CLUSTER: (cluster_is_unused,),
    Kind.TENANT: (tenant_is_empty,),
    Kind.PROJECT: (project_is_empty,),
    Kind.TEMPLATE: (template_is_unused,),
    Kind.RUN: (),
    Kind.SCHEDULE: (),
    Kind.TRAINING_JOB: (),
    Kind.MODEL_VERSION: (model_version_is_unused,),
    Kind.MODEL_DEPLOYMENT: (),
    Kind.ROLLOUT: (),
}
"""What must hold for an intent of a kind to be removed."""


def check(base: Tree, head: Tree, changed: Collection[str] | None = None) -> tuple[Problem, ...]:
    """Return every problem of the change from `base` to `head`, by path and line.

    `changed` names the paths that differ; only what they can affect is looked at, and nothing is missed as
    long as `base` itself has no problem. Without it every intent is checked.
    """
    paths = _everything(base, head) if changed is None else _affected(base, head, changed)
    problems = (problem for path in paths for problem in _check_one(Change.of(base, head, path)))
    return tuple(sorted(problems, key=lambda each: (each.path, each.line, each.column, each.code, each.message)))


def _everything(base: Tree, head: Tree) -> set[str]:
    return {PLATFORM_PATH, *base, *head}


def _affected(base: Tree, head: Tree, changed: Collection[str]) -> set[str]:
    paths = set(changed)
    for path in changed:
        change = Change.of(base, head, path)
        paths |= affected_by_serving(change) | affected_by_tenancy(change)
    return paths


def _check_one(change: Change) -> Iterable[Problem]:
    if change.after is not None:
        yield from immutable_fields_stay(change)
        rules = RULES[change.after.identity.kind]
    elif change.before is not None:
        rules = REMOVAL_RULES[change.before.identity.kind]
    elif change.path == PLATFORM_PATH:
        rules = REMOVAL_RULES[Kind.PLATFORM]
    else:
        return
    for rule in rules:
        yield from rule(change)
