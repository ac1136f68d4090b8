"""What a KFP 2.17 API server holds a run's pipeline and inputs against before it makes anything; texts as captured."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineSpec

from tests.support.kfp_wire import INTERNAL, INVALID, Json, Refusal, refused, traced

_JSON_TYPES: Mapping[str, tuple[str, str, tuple[type, ...]]] = {
    "STRING": ("string", "the input parameter is not of string value type", (str,)),
    "NUMBER_INTEGER": ("double or integer", "the parameter value is not of number value type", (int, float)),
    "NUMBER_DOUBLE": ("double or integer", "the parameter value is not of number value type", (int, float)),
    "BOOLEAN": ("bool", "the input parameter is not of bool value type", (bool,)),
    "LIST": ("list", "the input parameter is not of list value type", (list,)),
    "STRUCT": ("struct", "the input parameter is not of struct value type", (dict,)),
}
SCHEMA_VERSION = "2.1.0"


def check_pipeline(pipeline: Json | None) -> None:
    """Raise what the server answers to a PipelineSpec that it cannot read."""
    manifest = (
        "Failed to create a new run: InternalServerError: Failed to create a run due to error fetching manifest: "
    )
    if not pipeline:
        text = "Failed to fetch a template with an empty pipeline spec manifest"
        raise refused(INTERNAL, f"{manifest}Invalid input error: {text}", text)
    wrong = _unreadable(pipeline)
    if wrong:
        text = "Failed to fetch a template with an invalid pipeline spec manifest: InvalidInputError: "
        raise refused(INTERNAL, f"{manifest}{text}{wrong}: pipeline spec is invalid", wrong)


@cache
def _is_pipeline_spec(text: str) -> bool:
    try:
        ParseDict(json.loads(text), PipelineSpec())
    except ParseError:
        return False
    return True


def _unreadable(pipeline: Json) -> str:
    if not _is_pipeline_spec(json.dumps(pipeline)):
        return "unknown template format"
    if not pipeline.get("pipelineInfo", {}).get("name") or "root" not in pipeline:
        return "unknown template format"
    if (version := pipeline.get("schemaVersion", "")) != SCHEMA_VERSION:
        return f"KFP only supports schema version {SCHEMA_VERSION}, but the pipeline spec has version {version}"
    return ""


def check_inputs(pipeline: Json, given: Mapping[str, Any]) -> None:
    """Raise what the server answers to parameters that the pipeline does not take."""
    wanted = pipeline["root"].get("inputDefinitions", {}).get("parameters", {})
    for wrong in _wrong_inputs(wanted, given):
        before = "Failed to create a new run: Failed to generate the ExecutionSpec: invalid pipeline job inputs: "
        raise refused(INVALID, f"{before}Invalid input error: {wrong}", wrong)


def _wrong_inputs(wanted: Mapping[str, Json], given: Mapping[str, Any]) -> Iterator[str]:
    for name, described in wanted.items():
        if name not in given and not described.get("isOptional") and "defaultValue" not in described:
            yield f"parameter {name} is not optional, yet has neither default value nor user provided value"
    for name, value in given.items():
        if name in wanted:
            sort, wrong, types = _JSON_TYPES[wanted[name]["parameterType"]]
            if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
                yield f"input parameter {name} requires type {sort}, but {wrong}"
    if unknown := sorted(given.keys() - wanted.keys()):
        yield f"parameter(s) provided are not required by pipeline: {', '.join(unknown)}"


def check_graph(pipeline: Json) -> None:
    """Raise what the server answers to a pipeline that cannot be compiled."""
    executors = pipeline.get("deploymentSpec", {}).get("executors", {})
    for name, component in pipeline.get("components", {}).items():
        if (label := component.get("executorLabel")) and label not in executors:
            raise traced(
                f'error processing component name="{name}": executor(label="{label}") not found in deployment config'
            )
    tasks = pipeline["root"].get("dag", {}).get("tasks", {})
    for task in tasks.values():
        if (reference := task.get("componentRef", {}).get("name")) not in pipeline.get("components", {}):
            raise traced(f'error processing component name="root": cannot find component ref name="{reference}"')
    upstream = {name: {*task.get("dependentTasks", ()), *_producers(task)} for name, task in tasks.items()}
    for task in tasks.values():
        if unknown := sorted(_producers(task) - tasks.keys()):
            message = f'compiling DAG "root": failed to add implicit deps: unknown producer task "{unknown[0]}" in DAG'
            raise traced(message)
    for needed in upstream.values():
        if unknown := sorted(needed - tasks.keys()):
            raise _unsorted(f"invalid dependency {unknown[0]}")
    try:
        TopologicalSorter(upstream).prepare()
    except CycleError:
        raise _unsorted("graph with cycle") from None


def _producers(task: Json) -> set[str]:
    inputs = task.get("inputs", {})
    sources = [*inputs.get("parameters", {}).values(), *inputs.get("artifacts", {}).values()]
    outputs = [source.get("taskOutputParameter") or source.get("taskOutputArtifact") or {} for source in sources]
    return {each["producerTask"] for each in outputs if each}


def _unsorted(wrong: str) -> Refusal:
    message = (
        f"Failed to validate workflow for (): templates.entrypoint.tasks.root templates.root sorting failed: {wrong}"
    )
    return refused(INTERNAL, f"Failed to create a new run: InternalServerError: {message}", wrong)
