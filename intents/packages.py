"""A template's package: a compiled KFP pipeline, checked before it is in the catalog.

KFP's API server takes much that cannot run, and answers 500 to some of it; so what it does not hold is
checked here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from intents.documents import Document
from intents.kinds import TemplateSpec
from intents.problems import Problem

# https://www.kubeflow.org/docs/components/pipelines/reference/pipeline-spec/: ParameterType.ParameterTypeEnum
_JSON_TYPES = {
    "STRING": "string",
    "NUMBER_INTEGER": "integer",
    "NUMBER_DOUBLE": "number",
    "BOOLEAN": "boolean",
    "LIST": "array",
    "STRUCT": "object",
}
_DOCUMENTS = 2


def check_package(document: Document[TemplateSpec], package: bytes) -> tuple[Problem, ...]:
    """Return what is wrong with the package that lies beside `document`.

    Its bytes are those the template names; it is one PipelineSpec, and at most one platform spec after it;
    every task runs a component that is there; and its inputs are the template's parameters. A template without
    a package has nothing to check.
    """
    named = document.spec.package
    if named is None:
        return ()
    digest = hashlib.sha256(package).hexdigest()
    if digest != named.sha256:
        message = f"the sha256 of {named.file} is {digest}"
        return (document.problem("package-changed", message, "spec", "package", "sha256"),)
    try:
        pipeline = _parse(package)
    except ValueError as error:
        return (document.problem("invalid-package", str(error), "spec", "package"),)
    return (
        *_references(document, pipeline),
        *_parameters(document, pipeline),
        *_model_outputs(document, pipeline),
    )


def _parse(package: bytes) -> dict[str, Any]:
    """Return the PipelineSpec as a mapping. Raises ValueError for what is none, strictly."""
    # Loaded late: whoever checks no package does not pay for protobuf.
    from google.protobuf.json_format import ParseDict, ParseError  # noqa: PLC0415

    messages = _messages()
    try:
        documents = list(yaml.load_all(package, Loader=yaml.CSafeLoader))
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {error}") from error
    if not 1 <= len(documents) <= _DOCUMENTS or not isinstance(documents[0], dict):
        raise ValueError("a package is one PipelineSpec and at most one platform spec")
    try:
        ParseDict(documents[0], messages.PipelineSpec())
        # PipelineSpec holds it as a free Struct: unknown container fields show only here.
        ParseDict(documents[0].get("deploymentSpec", {}), messages.PipelineDeploymentConfig())
    except ParseError as error:
        raise ValueError(f"no KFP PipelineSpec: {error}") from error
    return documents[0]


@cache
def _messages() -> ModuleType:
    """Load KFP's generated messages, kfp.pipeline_spec.pipeline_spec_pb2, without the package around them.

    Importing that package takes 100 MB and seconds; the messages alone 3 MB.
    """
    package = find_spec("kfp")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("kfp is not installed: packages cannot be checked")
    file = Path(package.submodule_search_locations[0], "pipeline_spec", "pipeline_spec_pb2.py")
    spec = spec_from_file_location("kfp_pipeline_spec_pb2", file)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"{file} cannot be loaded")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _references(document: Document[TemplateSpec], pipeline: Mapping[str, Any]) -> Iterator[Problem]:
    executors = pipeline.get("deploymentSpec", {}).get("executors", {})
    components = pipeline.get("components", {})
    for name, component in {**components, "root": pipeline.get("root", {})}.items():
        label = component.get("executorLabel")
        if label is not None and label not in executors:
            yield _dangling(document, f"component {name} names an executor {label} that is not there")
        tasks = component.get("dag", {}).get("tasks", {})
        for task, spec in tasks.items():
            reference = spec.get("componentRef", {}).get("name")
            if reference not in components:
                yield _dangling(document, f"task {task} names a component {reference} that is not there")
            for other in spec.get("dependentTasks", ()):
                if other not in tasks:
                    yield _dangling(document, f"task {task} depends on a task {other} that is not there")


def _dangling(document: Document[TemplateSpec], message: str) -> Problem:
    return document.problem("invalid-package", message, "spec", "package")


def _parameters(document: Document[TemplateSpec], pipeline: Mapping[str, Any]) -> Iterator[Problem]:
    inputs = pipeline.get("root", {}).get("inputDefinitions", {}).get("parameters", {})
    schema = document.spec.parameters
    known, required = _mapping(schema.get("properties")), _names(schema.get("required"))
    for name in sorted(known.keys() - inputs.keys()):
        message = f"the package has no input `{name}`"
        yield document.problem("package-parameters", message, "spec", "parameters", "properties", name)
    for name, given in sorted(inputs.items()):
        if name not in known:
            if "defaultValue" not in given and not given.get("isOptional"):
                message = f"the package needs an input `{name}` that is no parameter here"
                yield document.problem("package-parameters", message, "spec", "parameters")
            continue
        wanted = _JSON_TYPES.get(given.get("parameterType", ""))
        found = _mapping(known[name]).get("type", wanted)
        if found != wanted and (found, wanted) != ("integer", "number"):
            message = f"the package's input `{name}` is of type {wanted}, the parameter of {found}"
            yield document.problem("package-parameters", message, "spec", "parameters", "properties", name)
        if "defaultValue" not in given and not given.get("isOptional") and name not in required:
            message = f"the package's input `{name}` has no default: it must be required here"
            yield document.problem("package-parameters", message, "spec", "parameters", "properties", name)


def _model_outputs(document: Document[TemplateSpec], pipeline: Mapping[str, Any]) -> Iterator[Problem]:
    tasks, components = (
        pipeline.get("root", {}).get("dag", {}).get("tasks", {}),
        pipeline.get("components", {}),
    )
    for position, model in enumerate(document.spec.models):
        component = components.get(tasks.get(model.task, {}).get("componentRef", {}).get("name"), {})
        outputs = component.get("outputDefinitions", {}).get("artifacts", {})
        if model.output not in outputs:
            message = f"the package has no task {model.task} with an output artifact {model.output}"
            yield document.problem("invalid-package", message, "spec", "models", position)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _names(value: Any) -> frozenset[str]:
    return frozenset(each for each in value if isinstance(each, str)) if isinstance(value, list) else frozenset()
