"""TrainingJob → Kubeflow Trainer's TrainJob, and the runtimes that a cluster has for them.

A TrainJob never changes: Trainer refuses it, and each attempt is one of its own. What depends on the nodes stands in a
ClusterTrainingRuntime for each GPU pool, so `runtimePatches` is left to Kueue, which writes there when it admits a
job. `suspend` is Kueue's too: stated here, Argo CD would start what Kueue holds back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from intents.documents import Document
from intents.kinds import ClusterSpec, PlatformSpec, TemplateSpec, TrainingJobSpec
from intents.kinds.cluster import GpuPool
from intents.kinds.run import Desired
from intents.quantities import duration_seconds
from intents.tree import Tree
from renderers import marks
from renderers.access import RUNS_ACCOUNT
from renderers.canonical import Manifest
from renderers.kueue import QUEUE_LABEL
from renderers.pools import amounts, placement, pool_of
from renderers.restrictions import container_security, pod_security
from renderers.site import Site, in_project, site_of
from renderers.storage import artifacts_uri
from renderers.unit import Unit

API_VERSION = "trainer.kubeflow.org/v1alpha1"
OUTPUT_VARIABLE = "ORDAIN_OUTPUT_URI"
"""The environment variable that tells a program where its outputs go: each under its own name below it."""

# The names by which Trainer finds job and container; see its constants.Node.
_NODE = "node"
_ANCESTOR = "trainer.kubeflow.org/trainjob-ancestor-step"


def render_runtimes(tree: Tree, unit: Unit) -> Iterator[Manifest]:
    """Yield a cluster's ClusterTrainingRuntimes: one without GPUs, one for each pool."""
    site = site_of(tree, unit)
    for pool in (None, *site.spec.gpu_pools):
        yield _runtime(tree.platform, site, pool)


def render_training_job(tree: Tree, unit: Unit) -> Iterator[Manifest]:
    """Yield the TrainJob of the latest attempt; none once it is cancelled.

    Cancelled is not suspended: Kueue would start it again. Without its manifest Argo CD removes it, and with it the
    pods and what they held of the quota.
    """
    job = tree.training_job(unit.tenant, unit.project, unit.name)
    template = tree.template(job.spec.template) if job else None
    if job is not None and template is not None and job.spec.desired is not Desired.CANCELLED:
        yield _train_job(unit, job, template, site_of(tree, unit).spec)


def train_job_name(job: str, attempt: int) -> str:
    """Return the name of the TrainJob of one attempt."""
    return f"{job}-{attempt}"


def arguments(template: TemplateSpec, parameters: Mapping[str, JsonValue]) -> list[str]:
    """Return `--<name>=<value>` for every parameter, by name; what is not given has the template's default.

    The program finds text as it is, everything else as JSON.
    """
    properties = template.parameters.get("properties")
    known = properties.items() if isinstance(properties, Mapping) else ()
    defaults = {name: each["default"] for name, each in known if isinstance(each, Mapping) and "default" in each}
    return [_as_it_is(f"--{name}={_text(value)}") for name, value in sorted({**defaults, **parameters}.items())]


def _text(value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _as_it_is(argument: str) -> str:
    """Keep Kubernetes from putting a variable of the container, such as a credential, where a tenant wrote `$(…)`."""
    return argument.replace("$", "$$")


def _train_job(
    unit: Unit, job: Document[TrainingJobSpec], template: Document[TemplateSpec], cluster: ClusterSpec
) -> Manifest:
    spec = job.spec
    resources = spec.resources or template.spec.resources
    pool = pool_of(resources, cluster, job.path)
    deadline = {"activeDeadlineSeconds": duration_seconds(spec.deadline)} if spec.deadline else {}
    made = in_project(
        unit,
        API_VERSION,
        "TrainJob",
        train_job_name(unit.name, spec.attempt),
        spec={
            **deadline,
            "managedBy": "trainer.kubeflow.org/trainjob-controller",
            "runtimeRef": {
                "apiGroup": API_VERSION.partition("/")[0],
                "kind": "ClusterTrainingRuntime",
                "name": runtime_name(pool),
            },
            "trainer": {
                **_program(job, template.spec),
                "numNodes": spec.nodes,
                "resourcesPerNode": {"limits": amounts(resources, pool), "requests": amounts(resources, pool)},
            },
        },
    )
    made["metadata"]["labels"] |= {marks.TRAINING_JOB: unit.name, marks.ATTEMPT: str(spec.attempt), **QUEUE_LABEL}
    made["metadata"]["annotations"] = {marks.TEMPLATE: spec.template, marks.INTENT_BLOB: job.blob}
    return made


def _program(job: Document[TrainingJobSpec], template: TemplateSpec) -> Manifest:
    if template.training is None:  # a template of runs, which checks refuse here
        return {}
    who, given = job.identity, arguments(template, job.spec.parameters)
    output = artifacts_uri(who.tenant, who.project, "training", who.name, str(job.spec.attempt))
    return {
        "image": template.training.image,
        "command": list(template.training.command),
        **({"args": given} if given else {}),
        "env": [{"name": OUTPUT_VARIABLE, "value": output}],
    }


def runtime_name(pool: GpuPool | None) -> str:
    """Return the name of the runtime whose pods come onto the nodes of `pool`."""
    return f"ordain-torch-{pool.type}" if pool else "ordain-torch"


def _runtime(platform: PlatformSpec, site: Site, pool: GpuPool | None) -> Manifest:
    """Return a runtime as Trainer's own `torch-distributed`, of pods that keep to the platform's rules."""
    return {
        "apiVersion": API_VERSION,
        "kind": "ClusterTrainingRuntime",
        "metadata": {"name": runtime_name(pool), "labels": {"trainer.kubeflow.org/framework": "torch"}},
        "spec": {
            "mlPolicy": {"numNodes": 1, "torch": {}},
            "template": {"spec": {"replicatedJobs": [_replicated_job(_pod(platform, site, pool))]}},
        },
    }


def _replicated_job(pod: Manifest) -> Manifest:
    return {
        "name": _NODE,
        "groupName": "default",
        "replicas": 1,
        "template": {
            "metadata": {"labels": {_ANCESTOR: "trainer"}},
            # One attempt is one try: a person raises `attempt`.
            "spec": {"backoffLimit": 0, "template": {"spec": pod}},
        },
    }


def _pod(platform: PlatformSpec, site: Site, pool: GpuPool | None) -> Manifest:
    # Each project's own, by the one name: the program puts out what it made itself.
    credentials = [{"secretRef": {"name": site.credentials.object_store}}]
    return {
        **placement(pool),
        "automountServiceAccountToken": False,
        "containers": [{"name": _NODE, "envFrom": credentials, "securityContext": container_security()}],
        "restartPolicy": "Never",
        "securityContext": pod_security(platform),
        "serviceAccountName": RUNS_ACCOUNT,
    }
