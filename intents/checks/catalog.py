"""Templates and model versions: what they say about themselves must be so."""

from __future__ import annotations

from collections.abc import Iterator

from intents.checks.parameters import schema_complaint
from intents.checks.rule import Change, repeated
from intents.documents import Document
from intents.hints import nearest
from intents.kinds import Kind, ModelVersionSpec, TemplateSpec
from intents.kinds.template import EVERY_TENANT
from intents.models import files_digest
from intents.problems import Problem


def template_is_sound(change: Change) -> Iterator[Problem]:
    """Its schema is one, its model outputs can be told apart, the tenants it names are there."""
    document, spec = change.document, change.document.spec
    if not isinstance(spec, TemplateSpec):
        return
    if wrong := schema_complaint(spec.parameters):
        yield document.problem("invalid-schema", f"`parameters` is no JSON Schema: {wrong}", "spec", "parameters")
    for position, name in repeated(each.output for each in spec.models):
        message = f"two model outputs are called {name}: a run could not choose"
        yield document.problem("duplicate-name", message, "spec", "models", position, hint="rename one")
    yield from _tenants_exist(change, spec)


def _tenants_exist(change: Change, spec: TemplateSpec) -> Iterator[Problem]:
    for position, name in enumerate(spec.tenants):
        if name == EVERY_TENANT or change.head.tenant(name) or change.base.tenant(name):
            continue
        known = (each.identity.name for each in change.head.of_kind(Kind.TENANT).values())
        hint = nearest(name, known, "tenants")
        message = f"there is no tenant {name}"
        yield change.document.problem("unknown-tenant", message, "spec", "tenants", position, hint=hint)


def model_version_is_sound(change: Change) -> Iterator[Problem]:
    """Its digest is that of its files, which make up a Triton model repository of its name."""
    document, spec = change.document, change.document.spec
    if not isinstance(spec, ModelVersionSpec):
        return
    digest = files_digest((each.path, each.size, each.sha256) for each in spec.files)
    if digest != spec.digest:
        message = f"the digest of the files is {digest}"
        yield document.problem("digest-mismatch", message, "spec", "digest")
    for position, name in repeated(each.path for each in spec.files):
        yield document.problem("duplicate-name", f"{name} is listed twice", "spec", "files", position, "path")
    yield from _layout(document, spec)


def _layout(document: Document, spec: ModelVersionSpec) -> Iterator[Problem]:
    """Triton wants `<model>/config.pbtxt` and `<model>/1/...`; its own version is always 1."""
    model, paths = document.identity.name, [each.path for each in spec.files]
    for position, path in enumerate(paths):
        if not path.startswith(f"{model}/"):
            message = f"{path} does not lie in the model's folder {model}/"
            yield document.problem("model-layout", message, "spec", "files", position, "path")
    if f"{model}/config.pbtxt" not in paths:
        yield document.problem("model-layout", f"there is no {model}/config.pbtxt", "spec", "files")
    if not any(path.startswith(f"{model}/1/") for path in paths):
        yield document.problem("model-layout", f"there is nothing in {model}/1/", "spec", "files")
