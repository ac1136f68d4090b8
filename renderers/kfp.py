"""Run, Template and package → what is sent to a Kubeflow Pipelines API server, v2beta1.

KFP has no labels for runs. What pods must bear goes to them by the package's platform spec, as do their place and
their user; so every package is sent with one: `{"pipeline_spec": …, "platform_spec": …}`. What a package says itself
stays, but for the labels that fence a tenant, for how long its Workflow stays, and for caching: a step taken from KFP's
cache leaves its outputs with the run that made them, where nobody who looks at this run would find them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any
from uuid import UUID

import yaml

from intents.documents import Document
from intents.identity import Identity, namespace
from intents.kinds import ClusterSpec, PlatformSpec, TemplateSpec
from intents.kinds.cluster import GpuPool
from renderers import marks
from renderers.access import RUNS_ACCOUNT
from renderers.canonical import Manifest
from renderers.kueue import QUEUE_LABEL
from renderers.pools import pool_of, tolerations
from renderers.restrictions import NON_ROOT, must_not_be_root
from renderers.storage import artifacts_uri

RUNS_PATH = "/apis/v2beta1/runs"
EXPERIMENTS_PATH = "/apis/v2beta1/experiments"

WORKFLOW_TTL_SECONDS = 6 * 60 * 60
"""How long the Workflow of a finished run stays. 20,000 of them cost an API server 5 GB.

Long enough that KFP's persistence agent may be away for a night's part and still reads how a run ended, and that the
name is taken while anybody could still send the same run.
"""

Body = dict[str, Any]
"""A request's body, to be sent as JSON."""


@dataclass(frozen=True)
class KfpRun:
    """One attempt of a run, with all that its submission follows from."""

    who: Identity
    """The run's name, project and tenant."""
    path: str
    """The intent that asks for it."""
    attempt: int
    submission: int
    """How often the attempt was submitted, with this time: what an earlier one left is not among this one's outputs."""
    parameters: Mapping[str, Any]
    template: Document[TemplateSpec]
    package: bytes
    """The compiled package: a PipelineSpec, and at most one platform spec after it."""
    platform: PlatformSpec
    cluster: ClusterSpec

    @cached_property
    def pool(self) -> GpuPool | None:
        """The pool of the GPUs that the template gives its tasks."""
        return pool_of(self.template.spec.resources, self.cluster, self.template.path)


def experiment_name(tenant: str, project: str) -> str:
    """Return the display name of a project's experiment. A server of one user knows no namespaces, so it says both."""
    return namespace(tenant, project)


def experiment_body(tenant: str, project: str) -> Body:
    """Return what makes the experiment of a project; the namespace of its runs is the experiment's."""
    return {"display_name": experiment_name(tenant, project), "namespace": namespace(tenant, project)}


def display_name(name: str, attempt: int) -> str:
    """Return what people see of an attempt. KFP holds 128 characters and takes it twice."""
    return f"{name}-{attempt}"


def run_body(asked: KfpRun, run_id: UUID, experiment_id: str) -> Body:
    """Return what makes a run of an attempt."""
    who, template = asked.who, asked.template.identity
    pipeline, platform = _documents(asked.package)
    return {
        "run_id": str(run_id),
        "experiment_id": experiment_id,
        "display_name": display_name(who.name, asked.attempt),
        "description": f"{asked.path}, {template.name}@{template.version}, attempt {asked.attempt}",
        "pipeline_spec": {
            "pipeline_spec": _without_cache(_with_resources(asked, pipeline)),
            "platform_spec": _platform_spec(asked, pipeline, platform),
        },
        "runtime_config": {
            "parameters": dict(asked.parameters),
            "pipeline_root": artifacts_uri(who.tenant, who.project, "runs", str(run_id), str(asked.submission)),
        },
        "service_account": RUNS_ACCOUNT,
    }


@lru_cache(maxsize=64)
def _documents(package: bytes) -> tuple[Manifest, Manifest]:
    """Return the PipelineSpec and the platform spec of a package; checks have seen that they are. Nobody changes them.

    Runs come in groups of one template, and reading its package is a tenth of submitting one.
    """
    pipeline, *rest = yaml.load_all(package, Loader=yaml.CSafeLoader)
    return pipeline, next((each for each in rest if each), {})


def _containers(pipeline: Mapping[str, Any]) -> Iterator[tuple[str, Manifest]]:
    executors = pipeline.get("deploymentSpec", {}).get("executors", {})
    yield from ((label, executor["container"]) for label, executor in executors.items() if "container" in executor)


def _with_resources(asked: KfpRun, pipeline: Manifest) -> Manifest:
    executors = pipeline.get("deploymentSpec", {}).get("executors", {})
    given = {
        label: {**executors[label], "container": {**container, "resources": _resources(asked, container)}}
        for label, container in _containers(pipeline)
    }
    if not given:
        return pipeline
    return {**pipeline, "deploymentSpec": {**pipeline["deploymentSpec"], "executors": {**executors, **given}}}


def _without_cache(pipeline: Manifest) -> Manifest:
    """Return the pipeline with KFP's cache off for every task; a task that says nothing is not cached."""
    components = {name: _component_without_cache(each) for name, each in pipeline.get("components", {}).items()}
    root = _component_without_cache(pipeline["root"])
    return {**pipeline, "root": root, **({"components": components} if components else {})}


def _component_without_cache(component: Manifest) -> Manifest:
    tasks = component.get("dag", {}).get("tasks", {})
    if not tasks:
        return component
    uncached = {name: {**task, "cachingOptions": {}} for name, task in tasks.items()}
    return {**component, "dag": {**component["dag"], "tasks": uncached}}


def _resources(asked: KfpRun, container: Mapping[str, Any]) -> Manifest:
    """Return the resources of a task: its package's, completed by the template's where it says nothing.

    CPUs and memory are requested and limited alike. GPUs come to tasks that say nothing about resources at all.
    """
    said = container.get("resources", {})
    resources = asked.template.spec.resources
    found = {**said, **_amount(said, "Cpu", resources.cpus), **_amount(said, "Memory", resources.memory)}
    if asked.pool and not said:
        count = str(resources.gpus[asked.pool.type])
        found["accelerator"] = {"resourceType": asked.pool.resource, "resourceCount": count}
    return found


def _amount(said: Mapping[str, Any], what: str, default: str) -> Manifest:
    """Return limit and request of one resource: KFP has a form with numbers, and since 2.5 one with quantities."""
    for limit, request in ((f"{what.lower()}Limit", f"{what.lower()}Request"), _quantity_fields(what)):
        if limit in said or request in said:
            return {limit: said.get(limit, said.get(request)), request: said.get(request, said.get(limit))}
    return dict.fromkeys(_quantity_fields(what), default)


def _quantity_fields(what: str) -> tuple[str, str]:
    return f"resource{what}Limit", f"resource{what}Request"


def _platform_spec(asked: KfpRun, pipeline: Manifest, platform: Manifest) -> Manifest:
    platforms = platform.get("platforms", {})
    kubernetes = platforms.get("kubernetes", {})
    said = kubernetes.get("deploymentSpec", {}).get("executors", {})
    given = {label: _executor(asked, container, said.get(label, {})) for label, container in _containers(pipeline)}
    executors = {"executors": {**said, **given}}
    config = _pipeline_config(kubernetes.get("pipelineConfig", {}))
    completed = {**kubernetes, "deploymentSpec": executors, "pipelineConfig": config}
    return {**platform, "platforms": {**platforms, "kubernetes": completed}}


def _pipeline_config(said: Mapping[str, Any]) -> Manifest:
    """Return the pipeline's configuration with the platform's TTL, which no package makes shorter."""
    kept = {name: value for name, value in said.items() if not name.startswith("resourceTtl")}
    return {**kept, "resourceTtlOnCompletion": WORKFLOW_TTL_SECONDS}


def _executor(asked: KfpRun, container: Mapping[str, Any], said: Mapping[str, Any]) -> Manifest:
    """Return a KubernetesExecutorConfig: what pods of a task are marked with, where and as whom they run."""
    metadata = said.get("podMetadata", {})
    user = _user(said.get("securityContext", {})) if must_not_be_root(asked.platform) else {}
    on_gpus = asked.pool and ("accelerator" in container.get("resources", {}) or not container.get("resources"))
    return {
        **said,
        **user,
        **(_place(asked.pool, said) if asked.pool and on_gpus else {}),
        "podMetadata": {**metadata, "labels": {**metadata.get("labels", {}), **_labels(asked)}},
    }


def _labels(asked: KfpRun) -> dict[str, str]:
    who = asked.who
    return {
        marks.TENANT: who.tenant,
        marks.PROJECT: who.project,
        marks.RUN: who.name,
        marks.ATTEMPT: str(asked.attempt),
        **QUEUE_LABEL,
    }


def _user(said: Mapping[str, Any]) -> Manifest:
    return {"securityContext": {"runAsUser": NON_ROOT, "runAsGroup": NON_ROOT, **said, "runAsNonRoot": True}}


def _place(pool: GpuPool, said: Mapping[str, Any]) -> Manifest:
    labels = {**said.get("nodeSelector", {}).get("labels", {}), **pool.node_selector}
    bears = [*said.get("tolerations", ()), *tolerations(pool)]
    return {
        **({"nodeSelector": {"labels": labels}} if labels else {}),
        **({"tolerations": bears} if bears else {}),
    }
