"""Model versions: a Triton repository of one model, as far as its list of files and its signature tell.

The registry looks into the files themselves before it writes a ModelVersion (`intents.triton`); `signature` is what
it found in config.pbtxt.
"""

from __future__ import annotations

from collections.abc import Iterator

from intents.checks.rule import Change, repeated
from intents.documents import Document
from intents.kinds import ModelDeploymentSpec, ModelVersionSpec
from intents.models import files_digest
from intents.problems import Problem
from intents.triton import GPU, layout_complaints


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


def deployment_gives_gpus(change: Change) -> Iterator[Problem]:
    """A model whose instances run on GPUs gets one; without it Triton fails to load the model."""
    document, spec, who = change.document, change.document.spec, change.document.identity
    if not isinstance(spec, ModelDeploymentSpec):
        return
    for position, version in enumerate(spec.versions):
        model = None if version.resources.gpus else change.head.model_version(who.tenant, who.project, version.model)
        kinds = model.spec.signature.get("instanceKinds") if model else None
        if isinstance(kinds, list) and GPU in kinds:
            message = f"{version.model} has instances on GPUs, and the version gets none"
            hint = "add `gpus`, or register the model with instances of KIND_AUTO or KIND_CPU"
            yield document.problem("no-gpu-for-model", message, "spec", "versions", position, "resources", hint=hint)


def _layout(document: Document, spec: ModelVersionSpec) -> Iterator[Problem]:
    positions = {each.path: at for at, each in enumerate(spec.files)}
    for wrong in layout_complaints(positions, document.identity.name, spec.signature):
        place = ("spec", "files", positions[wrong.path], "path") if wrong.path in positions else ("spec", "files")
        yield document.problem(wrong.code, wrong.message, *place, hint=wrong.hint)
