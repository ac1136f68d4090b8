"""A template's package: a compiled KFP pipeline, checked before it is in the catalog.

KFP's API server takes much that cannot run, and answers 500 to some of it; so what it does not hold is
checked here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from intents import images
from intents.documents import Document, of_spec
from intents.kinds import Spec, TemplateSpec
from intents.package_graph import graph_complaints
from intents.package_messages import Pipeline, parse_package
from intents.problems import Problem
from intents.secrets import credentials_in

# https://www.kubeflow.org/docs/components/pipelines/reference/pipeline-spec/: ParameterType.ParameterTypeEnum
_JSON_TYPES = {
    "STRING": "string",
    "NUMBER_INTEGER": "integer",
    "NUMBER_DOUBLE": "number",
    "BOOLEAN": "boolean",
    "LIST": "array",
    "STRUCT": "object",
}
# KFP makes `<name>-` the generateName of a Workflow, which Kubernetes wants to be a DNS subdomain.
_PIPELINE_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,126}[a-z0-9])?")
_DISPLAY_NAME = 128
"""Characters of KFP's columns for display names; a longer one is a 500 after the Workflow was made."""
_OPEN = ("patternProperties", "unevaluatedProperties")


def package_path(document: Document[Spec]) -> str | None:
    """Return the path of the package that lies beside a template; None for a document that has none."""
    package = document.spec.package if isinstance(document.spec, TemplateSpec) else None
    return f"{document.path.rpartition('/')[0]}/{package.file}" if package else None


def check_packages(
    documents: Iterable[Document[Spec]], files: Mapping[str, bytes], allow: Collection[str] | None
) -> Iterator[Problem]:
    """Yield what is wrong with the packages beside these documents, by their paths in `files`. See `check_package`."""
    for document in documents:
        path = package_path(document)
        template = of_spec(document, TemplateSpec) if path else None
        if path is None or template is None:
            continue
        if path in files:
            yield from check_package(template, files[path], allow)
        else:
            message = f"{path.rpartition('/')[2]} is not beside the template"
            yield template.problem("invalid-package", message, "spec", "package", "file")


def check_package(
    document: Document[TemplateSpec], package: bytes, allow: Collection[str] | None = None
) -> tuple[Problem, ...]:
    """Return what is wrong with the package that lies beside `document`.

    Its bytes are those the template names; it is one PipelineSpec, and at most one platform spec after it;
    every reference in it leads somewhere and none in a circle; its images are fixed, and on the list `allow` of
    patterns where there is one; and its inputs are the template's parameters. A template without a package has
    nothing to check.
    """
    named = document.spec.package
    if named is None:
        return ()
    digest = hashlib.sha256(package).hexdigest()
    if digest != named.sha256:
        message = f"the sha256 of {named.file} is {digest}"
        return (document.problem("package-changed", message, "spec", "package", "sha256"),)
    try:
        pipeline = parse_package(package)
    except ValueError as error:
        return (document.problem("invalid-package", str(error), "spec", "package"),)
    return (
        *_names(document, pipeline),
        *(_invalid(document, wrong) for wrong in graph_complaints(pipeline)),
        *_executors(document, pipeline, allow),
        *_secrets(document, package),
        *_parameters(document, pipeline),
        *_model_outputs(document, pipeline),
    )


def _invalid(document: Document[TemplateSpec], message: str) -> Problem:
    return document.problem("invalid-package", message, "spec", "package")


def _names(document: Document[TemplateSpec], pipeline: Pipeline) -> Iterator[Problem]:
    info = pipeline.spec.get("pipelineInfo", {})
    name, shown = info.get("name", ""), info.get("displayName", "")
    if not _PIPELINE_NAME.fullmatch(name):
        form = "up to 128 lower-case letters, digits and hyphens"
        yield _invalid(document, f"the pipeline's name is {name!r}: KFP names Workflows after it, so {form}")
    if len(shown) > _DISPLAY_NAME:
        yield _invalid(document, f"the pipeline's displayName has {len(shown)} characters, at most {_DISPLAY_NAME} fit")


def _executors(
    document: Document[TemplateSpec], pipeline: Pipeline, allow: Collection[str] | None
) -> Iterator[Problem]:
    for label, executor in pipeline.executors.items():
        if "container" in executor:
            image = executor["container"].get("image", "")
            yield from image_problems(document, image, allow, f"executor {label}: ", "spec", "package")
        elif "importer" not in executor:
            sort = next(iter(executor), "nothing")
            yield _invalid(document, f"executor {label} is of the sort {sort}, which no Kubernetes cluster runs")
    for label, config in pipeline.platform.items():
        # The JSON form of a 64-bit number is a number or its text.
        if str(config.get("securityContext", {}).get("runAsUser", "")) == "0":
            message = f"executor {label} runs as the user root"
            hint = "leave runAsUser out, or set another user"
            yield document.problem("runs-as-root", message, "spec", "package", hint=hint)


def image_problems(
    document: Document, image: str, allow: Collection[str] | None, who: str, *place: str
) -> Iterator[Problem]:
    """Yield why an image may not run: it is none, it is open what it will be, or it is not on the list."""
    if wrong := images.complaint(image):
        hint = "write the image out, with its tag or digest"
        yield document.problem("invalid-image", f"{who}{wrong}", *place, hint=hint)
    elif allow is not None and not images.allowed(image, allow):
        hint = f"the platform allows {', '.join(allow)}"
        yield document.problem("image-not-allowed", f"{who}{image} is not on the list of images", *place, hint=hint)


def _secrets(document: Document[TemplateSpec], package: bytes) -> Iterator[Problem]:
    for what in dict.fromkeys(credentials_in(package.decode("utf-8", "replace"))):
        hint = "take it out and revoke it; let tasks read a secret of the cluster"
        message = f"something in the package looks like {what}"
        yield document.problem("looks-like-secret", message, "spec", "package", hint=hint)


def _parameters(document: Document[TemplateSpec], pipeline: Pipeline) -> Iterator[Problem]:
    """The schema has a property of the input's type for every input, and lets nothing else in."""
    inputs = pipeline.root.get("inputDefinitions", {}).get("parameters", {})
    schema = document.spec.parameters
    known, required = _mapping(schema.get("properties")), _words(schema.get("required"))
    for name in sorted(known.keys() - inputs.keys()):
        message = f"the package has no input `{name}`"
        yield document.problem("package-parameters", message, "spec", "parameters", "properties", name)
    for name, given in sorted(inputs.items()):
        if name in known:
            yield from _parameter(document, name, given, _mapping(known[name]), required)
        elif _needed(given):
            message = f"the package needs an input `{name}` that is no parameter here"
            yield document.problem("package-parameters", message, "spec", "parameters")
    if schema.get("additionalProperties", False) is not False or any(word in schema for word in _OPEN):
        message = "the schema lets in parameters that the package has no inputs for: KFP would refuse the run"
        hint = "set `additionalProperties: false`"
        yield document.problem("package-parameters", message, "spec", "parameters", hint=hint)


def _parameter(
    document: Document[TemplateSpec],
    name: str,
    given: Mapping[str, Any],
    described: Mapping[str, Any],
    required: frozenset[str],
) -> Iterator[Problem]:
    place = ("spec", "parameters", "properties", name)
    wanted, found = _JSON_TYPES.get(given.get("parameterType", "")), described.get("type")
    if wanted is None:
        kind = given.get("parameterType", "no type")
        message = f"the package's input `{name}` is of {kind}, which no parameter can give"
        yield document.problem("package-parameters", message, *place)
    elif found != wanted and (found, wanted) != ("integer", "number"):
        message = f"the package's input `{name}` is of type {wanted}, the parameter of {found or 'any'}"
        yield document.problem("package-parameters", message, *place, hint=f"write `type: {wanted}`")
    if _needed(given) and name not in required:
        message = f"the package's input `{name}` has no default: it must be required here"
        yield document.problem("package-parameters", message, *place)


def _needed(given: Mapping[str, Any]) -> bool:
    return "defaultValue" not in given and not given.get("isOptional")


def _model_outputs(document: Document[TemplateSpec], pipeline: Pipeline) -> Iterator[Problem]:
    tasks = pipeline.root.get("dag", {}).get("tasks", {})
    for position, model in enumerate(document.spec.models):
        component = pipeline.components.get(tasks.get(model.task, {}).get("componentRef", {}).get("name"), {})
        outputs = component.get("outputDefinitions", {}).get("artifacts", {})
        if model.output not in outputs:
            message = f"the package has no task {model.task} with an output artifact {model.output}"
            yield document.problem("invalid-package", message, "spec", "models", position)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _words(value: Any) -> frozenset[str]:
    return frozenset(each for each in value if isinstance(each, str)) if isinstance(value, list) else frozenset()
