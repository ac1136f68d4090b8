"""A package's tasks, components and what flows between them: nothing dangles, nothing goes round in a circle.

KFP's API server answers 500 to most of it, and starts some of it although it cannot end.
https://www.kubeflow.org/docs/components/pipelines/reference/pipeline-spec/ has the message's fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from intents.package_messages import Pipeline

ROOT = "root"
Fields = Mapping[str, Any]


def graph_complaints(pipeline: Pipeline) -> Iterator[str]:
    """Yield everything that a component, a task or a reference names and that is not there, and every cycle."""
    if not pipeline.root.get("dag", {}).get("tasks"):
        yield "root has no tasks: there is nothing to run"
    for name, component in {**pipeline.components, ROOT: pipeline.root}.items():
        yield from _executor(pipeline, name, component)
        for task, spec in _tasks(component).items():
            at = task if name == ROOT else f"{name}.{task}"
            yield from _task(pipeline, component, at, spec)
        yield from _dag_outputs(pipeline, name, component)
        yield from _cycles(name, {task: _upstream(spec) for task, spec in _tasks(component).items()}, "tasks")
    yield from _cycles("the package", _calls(pipeline), "components")
    for label in sorted(pipeline.platform.keys() - pipeline.executors.keys()):
        yield f"the platform spec configures an executor {label} that is not there"


def _executor(pipeline: Pipeline, name: str, component: Fields) -> Iterator[str]:
    label = component.get("executorLabel")
    if label is not None and label not in pipeline.executors:
        yield f"component {name} names an executor {label} that is not there"
    if name != ROOT and label is None and not component.get("dag"):
        yield f"component {name} has neither an executor nor tasks"


def _task(pipeline: Pipeline, around: Fields, at: str, spec: Fields) -> Iterator[str]:
    reference = spec.get("componentRef", {}).get("name")
    component = pipeline.components.get(reference)
    if component is None:
        yield f"task {at} names a component {reference} that is not there"
    for other in spec.get("dependentTasks", ()):
        if other not in _tasks(around):
            yield f"task {at} depends on a task {other} that is not there"
    for sort in ("parameters", "artifacts"):
        given = spec.get("inputs", {}).get(sort, {})
        for name, source in given.items():
            yield from (f"input {name} of task {at} {wrong}" for wrong in _source(pipeline, around, sort, source))
        if component is not None:
            yield from _arguments(at, sort, given, spec, component)


def _arguments(at: str, sort: str, given: Fields, spec: Fields, component: Fields) -> Iterator[str]:
    """Hold what a task gives against what its component takes; an iterator gives the item itself."""
    wanted = _inputs(component, sort)
    items = {spec.get(f"{sort.removesuffix('s')}Iterator", {}).get("itemInput")}
    for name in sorted(given.keys() - wanted.keys()):
        yield f"task {at} gives an input {name} that its component does not take"
    for name in sorted(wanted.keys() - given.keys() - items):
        if "defaultValue" not in wanted[name] and not wanted[name].get("isOptional"):
            yield f"task {at} does not give the input {name} that its component needs"


def _source(pipeline: Pipeline, around: Fields, sort: str, source: Fields) -> Iterator[str]:
    """Yield what is wrong with where an input comes from."""
    singular = sort.removesuffix("s").capitalize()
    if produced := source.get(f"taskOutput{singular}"):
        key = produced.get(f"output{singular}Key")
        yield from _produced(pipeline, around, sort, produced.get("producerTask"), key)
    elif (name := source.get(f"componentInput{singular}")) is not None and name not in _inputs(around, sort):
        yield f"comes from an input {name} that is not there"
    elif (status := source.get("taskFinalStatus")) and status.get("producerTask") not in _tasks(around):
        yield f"is the status of a task {status.get('producerTask')} that is not there"


def _produced(pipeline: Pipeline, around: Fields, sort: str, task: str | None, key: str | None) -> Iterator[str]:
    producer = _tasks(around).get(task or "")
    if producer is None:
        yield f"comes from a task {task} that is not there"
        return
    component = pipeline.components.get(producer.get("componentRef", {}).get("name"))
    if component is not None and key not in component.get("outputDefinitions", {}).get(sort, {}):
        yield f"comes from an output {key} that task {task} does not have"


def _dag_outputs(pipeline: Pipeline, name: str, component: Fields) -> Iterator[str]:
    outputs = component.get("dag", {}).get("outputs", {})
    for sort in ("parameters", "artifacts"):
        for output, source in outputs.get(sort, {}).items():
            if output not in component.get("outputDefinitions", {}).get(sort, {}):
                yield f"component {name} fills an output {output} that it does not have"
            for selector in _selectors(source):
                key = selector.get("outputParameterKey", selector.get("outputArtifactKey"))
                found = _produced(pipeline, component, sort, selector.get("producerSubtask"), key)
                yield from (f"output {output} of component {name} {wrong}" for wrong in found)


def _selectors(source: Fields) -> list[Fields]:
    one = source.get("valueFromParameter")
    several = source.get("valueFromOneof", {}).get("parameterSelectors", [])
    return [*([one] if one else []), *several, *source.get("artifactSelectors", [])]


def _upstream(task: Fields) -> set[str]:
    """Return the tasks that must have ended before this one."""
    sources = [each for sort in ("parameters", "artifacts") for each in task.get("inputs", {}).get(sort, {}).values()]
    keys = ("taskOutputParameter", "taskOutputArtifact", "taskFinalStatus")
    produced = {source.get(key, {}).get("producerTask") for source in sources for key in keys}
    return {*task.get("dependentTasks", ()), *(each for each in produced if each)}


def _calls(pipeline: Pipeline) -> dict[str, set[str]]:
    """Return, by component, the components that its tasks run."""
    return {
        name: {spec.get("componentRef", {}).get("name", "") for spec in _tasks(component).values()}
        for name, component in pipeline.components.items()
    }


def _cycles(where: str, upstream: Mapping[str, set[str]], what: str) -> Iterator[str]:
    try:
        TopologicalSorter(upstream).prepare()
    except CycleError as error:
        yield f"{what} of {where} go round in a circle: {' → '.join(reversed(error.args[1]))}"


def _tasks(component: Fields) -> Fields:
    tasks: Fields = component.get("dag", {}).get("tasks", {})
    return tasks


def _inputs(component: Fields, sort: str) -> Fields:
    inputs: Fields = component.get("inputDefinitions", {}).get(sort, {})
    return inputs
