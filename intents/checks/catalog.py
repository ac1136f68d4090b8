"""Templates: what they say about themselves must be so."""

from __future__ import annotations

from collections.abc import Iterator

from intents.checks.parameters import schema_complaint
from intents.checks.rule import Change, repeated
from intents.hints import nearest
from intents.kinds import Kind, PlatformSpec, TemplateSpec
from intents.kinds.template import EVERY_TENANT
from intents.packages import image_problems
from intents.problems import Problem
from intents.tree import PLATFORM_PATH, Tree


def template_is_sound(change: Change) -> Iterator[Problem]:
    """Its schema is one, its model outputs can be told apart, its image may run, the tenants it names are there."""
    document, spec = change.document, change.document.spec
    if not isinstance(spec, TemplateSpec):
        return
    if wrong := schema_complaint(spec.parameters):
        yield document.problem("invalid-schema", f"`parameters` is no JSON Schema: {wrong}", "spec", "parameters")
    for position, name in repeated(each.output for each in spec.models):
        message = f"two model outputs are called {name}: a run could not choose"
        yield document.problem("duplicate-name", message, "spec", "models", position, hint="rename one")
    if spec.training is not None:
        allow = allowed_images(change.head)
        yield from image_problems(document, spec.training.image, allow, "", "spec", "training", "image")
    yield from _tenants_exist(change, spec)


def allowed_images(tree: Tree) -> tuple[str, ...] | None:
    """Return the platform's list of images; None where it has none, and any may run."""
    platform = tree.get(PLATFORM_PATH)
    images = platform.spec.images if platform and isinstance(platform.spec, PlatformSpec) else None
    return images.allow if images else None


def affected_by_images(change: Change) -> set[str]:
    """Return the training templates, whose images a changed list may no longer allow."""
    if change.path != PLATFORM_PATH or allowed_images(change.base) == allowed_images(change.head):
        return set()
    templates = change.head.of_kind(Kind.TEMPLATE).items()
    return {path for path, each in templates if isinstance(each.spec, TemplateSpec) and each.spec.training}


def _tenants_exist(change: Change, spec: TemplateSpec) -> Iterator[Problem]:
    for position, name in enumerate(spec.tenants):
        if name == EVERY_TENANT or change.head.tenant(name) or change.base.tenant(name):
            continue
        known = (each.identity.name for each in change.head.of_kind(Kind.TENANT).values())
        hint = nearest(name, known, "tenants")
        message = f"there is no tenant {name}"
        yield change.document.problem("unknown-tenant", message, "spec", "tenants", position, hint=hint)
