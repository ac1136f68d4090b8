"""What the rules look at in an object: the pods it describes, wholly or in part, as CEL.

Plain CEL without optional types: cel-go 0.28, which Kyverno has, changed what `orValue` does.
Every list literal is of one type, since both refuse others.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Carrier:
    """Kinds of one API group whose objects describe pods."""

    group: str
    resources: tuple[str, ...]
    """As the API server names them in paths; subresources with a slash."""
    kinds: tuple[str, ...]
    pods: str
    """CEL: the pod specs in `object`."""
    complete: bool = True
    """Whether nothing is added before it becomes a pod. Of others only what they say is judged: what they leave
    out comes from a runtime, and is judged in the Deployment, JobSet or Pod made of it."""


_WORKERS = (
    "(has(object.spec.predictor.workerSpec) ? [object.spec.predictor.workerSpec] : [])"
    " + (has(object.spec.canary) ? object.spec.canary.filter(v, has(v.predictor) && has(v.predictor.workerSpec))"
    ".map(v, v.predictor.workerSpec) : [])"
)
_INFERENCE_SERVICE = (
    "[object.spec.predictor]"
    " + (has(object.spec.transformer) ? [object.spec.transformer] : [])"
    " + (has(object.spec.explainer) ? [object.spec.explainer] : [])"
    " + (has(object.spec.canary) ? object.spec.canary.filter(v, has(v.predictor)).map(v, v.predictor) : [])"
    f" + {_WORKERS}"
)
_TEMPLATE = "[object.spec.template.spec]"

CARRIERS: tuple[Carrier, ...] = (
    Carrier("", ("pods", "pods/ephemeralcontainers"), ("Pod",), "[object.spec]"),
    Carrier("", ("replicationcontrollers",), ("ReplicationController",), _TEMPLATE),
    Carrier(
        "apps",
        ("daemonsets", "deployments", "replicasets", "statefulsets"),
        ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"),
        _TEMPLATE,
    ),
    Carrier("batch", ("jobs",), ("Job",), _TEMPLATE),
    Carrier("batch", ("cronjobs",), ("CronJob",), "[object.spec.jobTemplate.spec.template.spec]"),
    Carrier(
        "jobset.x-k8s.io",
        ("jobsets",),
        ("JobSet",),
        "object.spec.replicatedJobs.map(j, j.template.spec.template.spec)",
    ),
    Carrier("serving.kserve.io", ("inferenceservices",), ("InferenceService",), _INFERENCE_SERVICE, complete=False),
    Carrier(
        "trainer.kubeflow.org",
        ("trainjobs",),
        ("TrainJob",),
        "(has(object.spec.trainer) ? [{'containers': [object.spec.trainer]}] : [])",
        complete=False,
    ),
)
"""Not Argo's Workflow: KFP writes placeholders into its templates and each step's real container into a patch at run
time, so that what would be judged never runs. Its pods are judged."""

SERVERS = (
    *("model", "huggingface", "lightgbm", "onnx", "paddle", "pmml", "pytorch", "sklearn", "tensorflow", "triton"),
    *("xgboost", "art"),
)
"""Fields of an InferenceService's components that are a container each (serving.kserve.io/v1beta1)."""


def _listed(fields: tuple[str, ...]) -> str:
    return " + ".join(f"(has(s.{field}) ? s.{field} : [])" for field in fields)


def _judged(specs: str, containers: str, *, whole: bool) -> str:
    """Return CEL: for each of the pod specs a map of what rules look at; `dyn`, since a map has values of one type."""
    entries = {"whole": str(whole).lower(), "spec": "s", "containers": containers, "ephemeral": _EPHEMERAL}
    return f"{specs}.map(s, {{{', '.join(f'{name!r}: dyn({each})' for name, each in entries.items())}}})"


_EPHEMERAL = _listed(("ephemeralContainers",))
_CONTAINERS = _listed(("containers", "initContainers"))
_SINGLE = " + ".join(f"(has(s.{field}) ? [s.{field}] : [])" for field in SERVERS)


def _by_kind(*, complete: bool) -> str:
    cases = [
        f"object.kind in {sorted(carrier.kinds)} ? {carrier.pods}"
        for carrier in CARRIERS
        if carrier.complete is complete
    ]
    return " : ".join([*cases, "[]"])


VARIABLES: tuple[tuple[str, str], ...] = (
    ("pods", _by_kind(complete=True)),
    ("parts", _by_kind(complete=False)),
    (
        "judged",
        " + ".join(
            (
                _judged("variables.pods", _CONTAINERS, whole=True),
                _judged("variables.parts", f"{_CONTAINERS} + {_SINGLE}", whole=False),
            )
        ),
    ),
)
"""Name and CEL, each over `object` and the variables before it.

`judged` is what rules look at: for each pod spec, whole or in part, `whole`, the `spec`, its `containers` (those before
the start and KServe's model servers included) and its `ephemeral` ones.
"""
