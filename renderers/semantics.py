"""Rules that no definition holds: what an API server takes and a controller then never brings up.

Seen on KServe 0.20 with its own webhooks: a model without a format, two model servers in one predictor (one of them
wins without a word), a runtime that is not there and a negative amount of CPU are all admitted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Any, TypeAlias

from intents.hints import nearest
from intents.quantities import quantity_value
from renderers.crds import Complaint
from renderers.policies.judged import SERVERS

Location: TypeAlias = tuple[str | int, ...]

KSERVE_RUNTIMES = frozenset(
    f"kserve-{name}"
    for name in (
        *("autogluonserver", "huggingfaceserver", "huggingfaceserver-multinode", "lgbserver", "mlserver"),
        *("paddleserver", "pmmlserver", "predictiveserver", "sklearnserver", "tensorflow-serving", "torchserve"),
        *("tritonserver", "vllmserver", "xgbserver"),
    )
)
"""The ClusterServingRuntimes that come with KServe 0.20 (config/runtimes)."""
TRAINER_RUNTIMES = frozenset(f"{name}-distributed" for name in ("deepspeed", "jax", "mlx", "torch", "xgboost"))
"""The ClusterTrainingRuntimes that come with Kubeflow Trainer (manifests/base/runtimes)."""

_SERVING = frozenset({"ClusterServingRuntime", "ServingRuntime"})
_TRAINING = frozenset({"ClusterTrainingRuntime", "TrainingRuntime"})
_MODES = ("Standard", "Knative", "RawDeployment", "Serverless", "ModelMesh")
_STANDARD = ("Standard", "RawDeployment")
_MODE = "serving.kserve.io/deploymentMode"
# Kubeflow Trainer's constants.TorchRunReservedEnvNames: it refuses a TrainJob that sets one of them.
_RESERVED = frozenset(f"PET_{name}" for name in ("NNODES", "NPROC_PER_NODE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT"))


@dataclass(frozen=True)
class Runtimes:
    """Names of the runtimes that manifests may refer to."""

    serving: frozenset[str]
    training: frozenset[str]

    @classmethod
    def of(cls, manifests: Iterable[Mapping[str, Any]]) -> Runtimes:
        """Return those among `manifests`, and those that KServe and Trainer bring themselves."""
        named = [(each.get("kind"), _mapping(each.get("metadata")).get("name", "")) for each in manifests]
        serving = frozenset(name for kind, name in named if kind in _SERVING)
        training = frozenset(name for kind, name in named if kind in _TRAINING)
        return cls(serving | KSERVE_RUNTIMES, training | TRAINER_RUNTIMES)


def semantic_complaints(manifest: Mapping[str, Any], runtimes: Runtimes) -> tuple[Complaint, ...]:
    """Return what is wrong with a manifest of any kind although its definition takes it."""
    key = (str(manifest.get("apiVersion", "")).partition("/")[0], str(manifest.get("kind", "")))
    rules = (*_RULES.get(key, ()), _amounts)
    return tuple(chain.from_iterable(rule(manifest, runtimes) for rule in rules))


_Rule: TypeAlias = Callable[[Mapping[str, Any], Runtimes], Iterator[Complaint]]


def _one_implementation(manifest: Mapping[str, Any], _runtimes: Runtimes) -> Iterator[Complaint]:
    for location, predictor in _predictors(manifest):
        servers = [name for name in SERVERS if name in predictor]
        if len(servers) > 1:
            message = f"{' and '.join(servers)} together: one of them wins without a word"
            yield Complaint((*location, servers[-1]), message, f"keep {servers[0]}")
        if not servers and not predictor.get("containers"):
            yield Complaint(location, "nothing serves: neither a model nor containers", "add `model`")


def _model(manifest: Mapping[str, Any], runtimes: Runtimes) -> Iterator[Complaint]:
    for location, predictor in _predictors(manifest):
        model = predictor.get("model")
        if not isinstance(model, dict):
            continue
        if not _mapping(model.get("modelFormat")).get("name"):
            yield Complaint((*location, "model", "modelFormat"), "it has no name: the model is never served")
        runtime = model.get("runtime")
        if runtime is not None and runtime not in runtimes.serving:
            hint = nearest(str(runtime), sorted(runtimes.serving), "runtimes")
            yield Complaint((*location, "model", "runtime"), f"there is no runtime `{runtime}`", hint)


def _mode(manifest: Mapping[str, Any], _runtimes: Runtimes) -> Iterator[Complaint]:
    mode = _mapping(_mapping(manifest.get("metadata")).get("annotations")).get(_MODE)
    if mode is not None and mode not in _MODES:
        hint = nearest(str(mode), _MODES, "modes")
        yield Complaint(("metadata", "annotations", _MODE), f"KServe has no mode `{mode}`", hint)
    if mode in _STANDARD and _mapping(manifest.get("spec")).get("canary"):
        message = "it moves no traffic in mode Standard of KServe 0.20: both routes keep the stable Service"
        yield Complaint(("spec", "canary"), message, "use an InferenceService a version and an HTTPRoute of your own")


def _predictors(manifest: Mapping[str, Any]) -> Iterator[tuple[Location, Mapping[str, Any]]]:
    spec = _mapping(manifest.get("spec"))
    yield ("spec", "predictor"), _mapping(spec.get("predictor"))
    for position, each in enumerate(_sequence(spec.get("canary"))):
        if "predictor" in _mapping(each):
            yield ("spec", "canary", position, "predictor"), _mapping(each["predictor"])


def _training_runtime(manifest: Mapping[str, Any], runtimes: Runtimes) -> Iterator[Complaint]:
    name = _mapping(_mapping(manifest.get("spec")).get("runtimeRef")).get("name")
    if name is not None and name not in runtimes.training:
        hint = nearest(str(name), sorted(runtimes.training), "runtimes")
        yield Complaint(("spec", "runtimeRef", "name"), f"there is no runtime `{name}`", hint)


def _reserved_variables(manifest: Mapping[str, Any], _runtimes: Runtimes) -> Iterator[Complaint]:
    trainer = _mapping(_mapping(manifest.get("spec")).get("trainer"))
    for position, each in enumerate(_sequence(trainer.get("env"))):
        if (name := _mapping(each).get("name")) in _RESERVED:
            yield Complaint(("spec", "trainer", "env", position, "name"), f"{name} is Trainer's to set", "remove it")


def _rewrites(manifest: Mapping[str, Any], _runtimes: Runtimes) -> Iterator[Complaint]:
    """Envoy Gateway rewrites a prefix only of a rule with exactly one match, by PathPrefix."""
    for position, rule in enumerate(_sequence(_mapping(manifest.get("spec")).get("rules"))):
        filters = _sequence(_mapping(rule).get("filters"))
        paths = [_mapping(_mapping(_mapping(each).get("urlRewrite")).get("path")).get("type") for each in filters]
        matches = [
            _mapping(_mapping(each).get("path")).get("type") for each in _sequence(_mapping(rule).get("matches"))
        ]
        if "ReplacePrefixMatch" in paths and matches != ["PathPrefix"]:
            message = "ReplacePrefixMatch wants exactly one match, of type PathPrefix"
            yield Complaint(("spec", "rules", position, "matches"), message, "exact paths take ReplaceFullPath")


def _amounts(manifest: Mapping[str, Any], _runtimes: Runtimes) -> Iterator[Complaint]:
    """Requests and limits, wherever they stand, are amounts, and no request is above its limit."""
    for location, resources in _resources(manifest, ()):
        limits = dict(_read(resources, "limits"))
        for name, amount in _read(resources, "requests"):
            limit = limits.get(name)
            if isinstance(amount, Decimal) and isinstance(limit, Decimal) and amount > limit:
                yield Complaint((*location, "requests", name), "more is requested than the limit allows")
        for side in ("limits", "requests"):
            for name, amount in _read(resources, side):
                if isinstance(amount, str):
                    yield Complaint((*location, side, name), amount)


def _read(resources: Mapping[str, Any], side: str) -> Iterator[tuple[str, Decimal | str]]:
    """Yield amounts by name: of what is none, why."""
    for name, text in _mapping(resources.get(side)).items():
        try:
            yield name, quantity_value(str(text))
        except ValueError as error:
            yield name, str(error)


def _resources(value: Any, location: Location) -> Iterator[tuple[Location, Mapping[str, Any]]]:
    """Yield every mapping with `limits` or `requests` that stands under a name for resources."""
    for part, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if part in {"resources", "resourcesPerNode"} and isinstance(inner, dict):
            yield (*location, part), inner
        elif isinstance(inner, dict | list):
            yield from _resources(inner, (*location, part))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _sequence(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


_RULES: Mapping[tuple[str, str], tuple[_Rule, ...]] = {
    ("serving.kserve.io", "InferenceService"): (_one_implementation, _model, _mode),
    ("trainer.kubeflow.org", "TrainJob"): (_training_runtime, _reserved_variables),
    ("gateway.networking.k8s.io", "HTTPRoute"): (_rewrites,),
}
