"""Pods that a change starts, restarts and ends, and why: what differs in the pod template of a workload.

KServe 0.20 in Standard mode makes a Deployment of each InferenceService: pods follow from its labels, its
annotations and all of `predictor` but what only scales it. In Knative mode a revision takes the scaling as well.
A TrainJob's program cannot change: the API server refuses it (CEL rules of the TrainJob CRD, Trainer v2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from intents.tree import Tree
from reconciler.planning.plan.diff import FieldDifference, differences
from reconciler.planning.plan.manifests import Pair
from renderers import marks
from renderers.canonical import Manifest
from renderers.live import live_deployment
from renderers.surge import decisions


class PodAction(StrEnum):
    """What becomes of a workload's pods."""

    START = "start"
    RESTART = "restart"
    REVISE = "revise"
    """Knative brings up a new revision, and ends the old one's pods once it has no traffic."""
    SCALE = "scale"
    END = "end"
    REFUSED = "refused"
    """The API server refuses the change: the workload has to be made anew under another name."""


class When(StrEnum):
    """When it happens."""

    AT_ONCE = "at once"
    """As soon as the commit is applied."""
    BY_ROLLOUT = "by the rollout"
    """In later commits, which the rollout controller makes."""


@dataclass(frozen=True)
class PodRange:
    """How many pods a workload has: as few and as many as autoscaling may choose."""

    min: int
    max: int


@dataclass(frozen=True)
class PodChange:
    """What happens to the pods of one workload; `because` are the fields that lead to it."""

    action: PodAction
    when: When
    cluster: str
    namespace: str
    kind: str
    name: str
    before: PodRange | None
    after: PodRange | None
    because: tuple[FieldDifference, ...] = ()
    replaced: str = ""
    """Of pods that restart: how they are replaced, with what is left of the quotas (`renderers.surge`)."""


# In Standard mode these are the Deployment's, the autoscaler's and the route's, not the pods'.
_OUTSIDE_PODS = {
    "Standard": frozenset(
        {
            "minReplicas",
            "maxReplicas",
            "scaleMetric",
            "scaleMetricType",
            "scaleTarget",
            "autoScaling",
            "canaryTrafficPercent",
            "deploymentStrategy",
        }
    ),
    "Knative": frozenset({"canaryTrafficPercent"}),
}


def pod_changes(pairs: Iterable[Pair], after: Tree, when: When) -> Iterator[PodChange]:
    """Yield what the workloads among manifests that differ mean for pods; `after` is the tree they end in."""
    for pair in pairs:
        if pair.known["kind"] not in _PODS:
            continue
        old, new, because = _pods(pair.before), _pods(pair.after), _because(pair)
        if (action := _action(pair, old, new, because)) is not None:
            yield PodChange(
                action=action,
                when=when,
                cluster=pair.unit.cluster,
                namespace=pair.known["metadata"]["namespace"],
                kind=pair.known["kind"],
                name=pair.known["metadata"]["name"],
                before=old,
                after=new,
                because=because,
                replaced=_replaced(after, pair) if action is PodAction.RESTART else "",
            )


def _replaced(tree: Tree, pair: Pair) -> str:
    version = pair.known["metadata"].get("labels", {}).get(marks.VERSION)
    live = live_deployment(tree, pair.unit) if version else None
    decision = decisions(tree, live).get(version) if live else None
    return decision.explanation if decision else ""


def _action(
    pair: Pair, before: PodRange | None, after: PodRange | None, because: tuple[FieldDifference, ...]
) -> PodAction | None:
    match before, after:
        case None, None:
            return None
        case None, _:
            return PodAction.START
        case _, None:
            return PodAction.END
    if because and pair.known["kind"] == "TrainJob":
        return PodAction.REFUSED
    if because:
        return PodAction.REVISE if _mode(pair.known) == "Knative" else PodAction.RESTART
    return PodAction.SCALE if before != after else None


def _because(pair: Pair) -> tuple[FieldDifference, ...]:
    if pair.before is None or pair.after is None:
        return ()
    template = _TEMPLATES[pair.known["kind"]]
    return tuple(differences(template(pair.before), template(pair.after)))


def _pods(manifest: Manifest | None) -> PodRange | None:
    return None if manifest is None else _PODS[manifest["kind"]](manifest)


def _of_service(service: Manifest) -> PodRange:
    predictor = service["spec"]["predictor"]
    return PodRange(predictor.get("minReplicas", 1), predictor.get("maxReplicas", 1))


def _of_graph(graph: Manifest) -> PodRange:
    return PodRange(graph["spec"].get("minReplicas", 1), graph["spec"].get("maxReplicas", 1))


def _of_job(job: Manifest) -> PodRange | None:
    """Return a TrainJob's pods; it has none while it is suspended."""
    nodes = job["spec"].get("trainer", {}).get("numNodes", 1)
    return None if job["spec"].get("suspend") else PodRange(nodes, nodes)


def _mode(workload: Manifest) -> str:
    annotations: Mapping[str, str] = workload["metadata"].get("annotations", {})
    return annotations.get("serving.kserve.io/deploymentMode", "Standard")


def _template_of_service(service: Manifest) -> Manifest:
    metadata, predictor = service["metadata"], service["spec"]["predictor"]
    outside = _OUTSIDE_PODS[_mode(service)]
    return {
        "metadata": {key: metadata.get(key, {}) for key in ("labels", "annotations")},
        "spec": {"predictor": {key: value for key, value in predictor.items() if key not in outside}},
    }


def _template_of_graph(graph: Manifest) -> Manifest:
    return {"spec": {key: value for key, value in graph["spec"].items() if key not in _OUTSIDE_PODS["Standard"]}}


def _template_of_job(job: Manifest) -> Manifest:
    return {"spec": {key: value for key, value in job["spec"].items() if key != "suspend"}}


_PODS: Mapping[str, Callable[[Manifest], PodRange | None]] = {
    "InferenceService": _of_service,
    "InferenceGraph": _of_graph,
    "TrainJob": _of_job,
}
_TEMPLATES: Mapping[str, Callable[[Manifest], Manifest]] = {
    "InferenceService": _template_of_service,
    "InferenceGraph": _template_of_graph,
    "TrainJob": _template_of_job,
}
