"""What a change of the tree may not do: the checks across documents. Pure.

Two principles keep a check as small as its change. A document's own rules look only at what it names. And
a reference that breaks is reported where the change breaks it: at the intent that was removed, or else at
the one that refers to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from intents.checks.asking import affected_by_templates, template_fits
from intents.checks.blast import change_stays_within_limits
from intents.checks.catalog import affected_by_images, template_is_sound
from intents.checks.changes import attempt_is_not_lowered, immutable_fields_stay, repository_stays
from intents.checks.facts import Facts, Question, not_checked
from intents.checks.limits import (
    affected_by_limits,
    deployment_gpus_exist,
    pools_differ,
    project_quota_fits,
    tenant_quota_fits,
)
from intents.checks.models import deployment_gives_gpus, model_version_is_sound
from intents.checks.quotas import (
    affected_by_quotas,
    cluster_holds_all_deployments,
    project_stays_within_quota,
    tenant_stays_within_quota,
)
from intents.checks.removals import (
    cluster_is_unused,
    model_version_is_unused,
    platform_stays,
    project_is_empty,
    template_is_unused,
    tenant_is_empty,
)
from intents.checks.rule import Change, Rule, World
from intents.checks.runs import run_is_not_under_way, run_name_is_new
from intents.checks.schedules import schedule_can_fire
from intents.checks.secrets import no_secrets
from intents.checks.serving import affected_by_serving, deployment_is_consistent, rollout_is_consistent
from intents.checks.tenancy import (
    affected_by_tenancy,
    cluster_of_project_exists,
    default_project_exists,
    hostnames_are_its_own,
    project_exists,
    tenant_exists,
)
from intents.checks.traffic import (
    affected_by_cluster_mode,
    mode_can_express_traffic,
    mode_stays_while_serving,
    traffic_is_sound,
)
from intents.kinds import Kind
from intents.problems import Problem, first_of
from intents.tree import PLATFORM_PATH, Tree

__all__ = ["REMOVAL_RULES", "RULES", "Facts", "Question", "check", "not_checked"]

RULES: Mapping[Kind, tuple[Rule, ...]] = {
    Kind.PLATFORM: (repository_stays,),
    Kind.CLUSTER: (pools_differ, cluster_holds_all_deployments, mode_stays_while_serving),
    Kind.TENANT: (hostnames_are_its_own, default_project_exists, tenant_quota_fits, tenant_stays_within_quota),
    Kind.PROJECT: (tenant_exists, cluster_of_project_exists, project_quota_fits, project_stays_within_quota),
    Kind.TEMPLATE: (template_is_sound,),
    Kind.RUN: (project_exists, run_name_is_new, template_fits, attempt_is_not_lowered),
    Kind.SCHEDULE: (project_exists, schedule_can_fire, template_fits),
    Kind.TRAINING_JOB: (project_exists, template_fits, attempt_is_not_lowered),
    Kind.MODEL_VERSION: (project_exists, model_version_is_sound),
    Kind.MODEL_DEPLOYMENT: (
        project_exists,
        deployment_is_consistent,
        traffic_is_sound,
        mode_can_express_traffic,
        deployment_gpus_exist,
        deployment_gives_gpus,
    ),
    Kind.ROLLOUT: (project_exists, rollout_is_consistent),
}
"""What holds for every intent of a kind, besides that immutable fields stay and that no secret is in it."""

REMOVAL_RULES: Mapping[Kind, tuple[Rule, ...]] = {
    Kind.PLATFORM: (platform_stays,),
    Kind.CLUSTER: (cluster_is_unused,),
    Kind.TENANT: (tenant_is_empty,),
    Kind.PROJECT: (project_is_empty,),
    Kind.TEMPLATE: (template_is_unused,),
    Kind.RUN: (run_is_not_under_way,),
    Kind.SCHEDULE: (),
    Kind.TRAINING_JOB: (run_is_not_under_way,),
    Kind.MODEL_VERSION: (model_version_is_unused,),
    Kind.MODEL_DEPLOYMENT: (),
    Kind.ROLLOUT: (),
}
"""What must hold for an intent of a kind to be removed."""


_AFFECTED: Mapping[Kind, tuple[Callable[[Change], set[str]], ...]] = {
    Kind.PLATFORM: (affected_by_images,),
    Kind.CLUSTER: (affected_by_cluster_mode, affected_by_limits),
    Kind.TENANT: (affected_by_tenancy, affected_by_limits),
    Kind.PROJECT: (affected_by_tenancy, affected_by_quotas, affected_by_cluster_mode),
    Kind.TEMPLATE: (affected_by_templates,),
    Kind.RUN: (affected_by_tenancy,),
    Kind.SCHEDULE: (),
    Kind.TRAINING_JOB: (),
    Kind.MODEL_VERSION: (),
    Kind.MODEL_DEPLOYMENT: (affected_by_serving, affected_by_quotas),
    Kind.ROLLOUT: (affected_by_serving, affected_by_quotas),
}
"""What other paths an intent of a kind bears on: they are checked again when it changes."""


def check(
    base: Tree, head: Tree, changed: Collection[str] | None = None, facts: Facts | None = None
) -> tuple[Problem, ...]:
    """Return every problem of the change from `base` to `head`, by path and line.

    `changed` names the paths that differ; only what they can affect is looked at, and nothing is missed as
    long as `base` itself has no problem. Without it every intent is checked. `facts` are what only the ledger
    knows; what cannot be checked without them, `not_checked` tells.
    """
    world = World(base, head, changed, facts)
    paths = _everything(base, head) if changed is None else _affected(world, changed)
    problems = [problem for path in paths for problem in first_of(path, _check_one(Change.of(world, path)))]
    problems += change_stays_within_limits(world)
    return tuple(sorted(problems, key=lambda each: (each.path, each.line, each.column, each.code, each.message)))


def _everything(base: Tree, head: Tree) -> set[str]:
    return {PLATFORM_PATH, *base, *head}


def _affected(world: World, changed: Collection[str]) -> set[str]:
    paths = set(changed)
    for path in changed:
        change = Change.of(world, path)
        document = change.after or change.before
        for affected in _AFFECTED[document.identity.kind] if document else ():
            paths |= affected(change)
    return paths


def _check_one(change: Change) -> Iterable[Problem]:
    if change.after is not None:
        yield from immutable_fields_stay(change)
        yield from no_secrets(change)
        rules = RULES[change.after.identity.kind]
    elif change.before is not None:
        rules = REMOVAL_RULES[change.before.identity.kind]
    elif change.path == PLATFORM_PATH:
        rules = REMOVAL_RULES[Kind.PLATFORM]
    else:
        return
    for rule in rules:
        yield from rule(change)
