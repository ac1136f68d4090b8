"""How traffic moves: what a strategy may ask, and what the project's cluster can do of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from intents.checks.rule import Change
from intents.documents import Document
from intents.hints import nearest
from intents.kinds import ClusterSpec, Kind, ModelDeploymentSpec, ProjectSpec
from intents.kinds.cluster import Driver, KServeMode
from intents.kinds.traffic import AB, BlueGreen, Canary, Match, Pair, Shadow, Traffic
from intents.problems import Problem
from intents.tree import Tree

_WHOLE = 100
Place = tuple[str | int, ...]


def traffic_is_sound(change: Change) -> Iterator[Problem]:
    """Every version has a part in the traffic, every name in it is a version, and the numbers add up."""
    document, spec = change.document, change.document.spec
    if not isinstance(spec, ModelDeploymentSpec):
        return
    yield from _names_agree(document, spec)
    match spec.traffic.strategy:
        case Canary() as canary:
            yield from _pair_differs(document, "canary", canary)
            yield from _steps_rise(document, canary)
        case BlueGreen() as pair:
            yield from _pair_differs(document, "blueGreen", pair)
        case Shadow() as pair:
            yield from _pair_differs(document, "shadow", pair)
        case AB() as arms:
            yield from _split_is_whole(document, arms)
            yield from _matches_part(document, arms)


def mode_can_express_traffic(change: Change) -> Iterator[Problem]:
    """What the project's cluster can do can be asked of it, and no more."""
    document, spec = change.document, change.document.spec
    cluster = change.world.room(document.identity.tenant, document.identity.project).cluster
    if not isinstance(spec, ModelDeploymentSpec) or cluster is None:
        return
    for place, what, hint in _lacks(spec.traffic, cluster.spec):
        mode, name = cluster.spec.kserve.mode, cluster.identity.name
        message = f"cluster {name} (driver {cluster.spec.driver}, KServe in {mode} mode) cannot {what}"
        yield document.problem("mode-cannot-express", message, "spec", "traffic", *place, hint=hint)


def mode_stays_while_serving(change: Change) -> Iterator[Problem]:
    """A cluster's KServe mode changes only while nothing is served there: KServe refuses it on a live object."""
    before, after = (each.spec if each else None for each in (change.before, change.after))
    if not isinstance(before, ClusterSpec) or not isinstance(after, ClusterSpec):
        return
    if before.kserve.mode is after.kserve.mode:
        return
    found = projects_on(change.head, change.document.identity.name)
    live = sorted(path for where in found for path in change.head.in_project(Kind.ROLLOUT, *where))
    if live:
        others = f" and {len(live) - 1} more" if len(live) > 1 else ""
        message = f"`mode` cannot change while deployments are served: {live[0]}{others}"
        hint = "make another cluster with that mode, and move the projects' deployments there"
        yield change.document.problem("mode-in-use", message, "spec", "kserve", "mode", hint=hint)


def affected_by_cluster_mode(change: Change) -> set[str]:
    """Return the deployments on a cluster whose KServe mode changes, or of a project that would change its cluster."""
    before, after = (each.spec if each else None for each in (change.before, change.after))
    if isinstance(before, ProjectSpec) and isinstance(after, ProjectSpec) and before.cluster != after.cluster:
        who = change.document.identity
        return set(change.head.in_project(Kind.MODEL_DEPLOYMENT, who.tenant, who.name))
    if not isinstance(before, ClusterSpec) or not isinstance(after, ClusterSpec):
        return set()
    if before.kserve.mode is after.kserve.mode:
        return set()
    found = projects_on(change.head, change.document.identity.name)
    return {path for where in found for path in change.head.in_project(Kind.MODEL_DEPLOYMENT, *where)}


def projects_on(tree: Tree, cluster: str) -> list[tuple[str, str]]:
    """Return tenant and project of every project on a cluster. Looks at every project."""
    return [
        (each.identity.tenant, each.identity.name)
        for _, each in sorted(tree.of_kind(Kind.PROJECT).items())
        if isinstance(each.spec, ProjectSpec) and each.spec.cluster == cluster
    ]


def _names_agree(document: Document, spec: ModelDeploymentSpec) -> Iterator[Problem]:
    named = list(_named(spec.traffic))
    versions = [each.name for each in spec.versions]
    for place, name in named:
        if name not in versions:
            message = f"there is no version {name} in `versions`"
            hint = nearest(name, versions, "versions")
            yield document.problem("unknown-version", message, "spec", "traffic", *place, hint=hint)
    if spec.traffic.replace is not None:
        return
    used = {name for _, name in named}
    for position, name in enumerate(versions):
        if name not in used:
            message = f"no traffic can reach version {name}"
            hint = "name it in `traffic`, or remove it"
            yield document.problem("unused-version", message, "spec", "versions", position, "name", hint=hint)


def _named(traffic: Traffic) -> Iterator[tuple[Place, str]]:
    """Yield every version that a strategy names, with its place below `traffic`."""
    for field, pair in (("canary", traffic.canary), ("blueGreen", traffic.blue_green), ("shadow", traffic.shadow)):
        if pair is not None:
            yield (field, "stable"), pair.stable
            yield (field, "candidate"), pair.candidate
    if traffic.ab is not None:
        yield from ((("ab", "split", name), name) for name in traffic.ab.split)
        yield from ((("ab", "match", at, "version"), each.version) for at, each in enumerate(traffic.ab.match))


def _pair_differs(document: Document, field: str, pair: Pair) -> Iterator[Problem]:
    if pair.stable == pair.candidate:
        message = f"{pair.stable} cannot take its own place"
        hint = "name two versions, or use `replace`"
        yield document.problem("same-version", message, "spec", "traffic", field, "candidate", hint=hint)


def _steps_rise(document: Document, canary: Canary) -> Iterator[Problem]:
    place = ("spec", "traffic", "canary", "steps")
    for position, (one, other) in enumerate(pairwise(canary.steps), start=1):
        if other.weight <= one.weight:
            message = f"step {position + 1} has {other.weight}, no more than the {one.weight} before it"
            yield document.problem("steps-not-rising", message, *place, position, "weight", hint="let the weights rise")
    last = len(canary.steps) - 1
    if canary.steps[last].weight != _WHOLE:
        message = f"the last step has {canary.steps[last].weight}: the candidate never takes all traffic"
        yield document.problem("steps-not-rising", message, *place, last, "weight", hint="end with weight 100")
    for position, step in enumerate(canary.steps):
        if step.weight == 0 and step.gates:
            message = "a step of weight 0 sends no requests, so its gates would wait for ever"
            yield document.problem("gate-without-traffic", message, *place, position, "gates", hint="gate a later step")


def _split_is_whole(document: Document, arms: AB) -> Iterator[Problem]:
    shares = arms.split.values()
    if sum(shares) != _WHOLE:
        sums = " + ".join(map(str, shares))
        message = f"{sums} = {sum(shares)}, not {_WHOLE}"
        yield document.problem("weights-sum", message, "spec", "traffic", "ab", "split")
    matched = {each.version for each in arms.match}
    for name, share in arms.split.items():
        if share == 0 and name not in matched:
            message = f"no traffic can reach version {name}: its share is 0 and nothing matches it"
            yield document.problem("unused-version", message, "spec", "traffic", "ab", "split", name)


def _matches_part(document: Document, arms: AB) -> Iterator[Problem]:
    """No request may match two versions: which of them it would reach, nobody could say."""
    hint = "use one header or cookie for all versions, with another value for each"
    for position, other in enumerate(arms.match):
        before = (each for each in arms.match[:position] if each.version != other.version)
        one = next((each for each in before if _can_both_hold(each, other)), None)
        if one is not None:
            message = f"a request can match both {_said(one)} for {one.version} and {_said(other)} for {other.version}"
            place = ("spec", "traffic", "ab", "match", position)
            yield document.problem("overlapping-matches", message, *place, hint=hint)


def _can_both_hold(one: Match, other: Match) -> bool:
    """Whether one request can satisfy both: not with two values of one header or cookie."""
    (sort, name, value), (other_sort, other_name, other_value) = _key(one), _key(other)
    return (sort, name) != (other_sort, other_name) or value == other_value


def _key(match: Match) -> tuple[str, str, str]:
    """Return sort, name and value. Names of headers are the same in any case (RFC 9110), those of cookies are not."""
    if match.header is not None:
        return "header", match.header.name.lower(), match.header.value
    if match.cookie is not None:
        return "cookie", match.cookie.name, match.cookie.value
    raise LookupError("a match without header and cookie")


def _said(match: Match) -> str:
    sort, name, value = _key(match)
    return f"{sort} {name}={value}"


Lack = tuple[Place, str, str]
"""Place below `traffic`, what is asked there, and what to do instead."""


def _lacks(traffic: Traffic, cluster: ClusterSpec) -> Iterator[Lack]:
    """Yield what a cluster cannot do.

    In Knative mode there is one InferenceService with canaryTrafficPercent, or an InferenceGraph over several;
    in Standard mode the edge divides all traffic. One machine has no InferenceGraph.
    """
    if traffic.divided_by_graph and cluster.driver is Driver.LOCAL:
        yield ("ab", "splitter"), "split by an InferenceGraph", "remove `splitter`: the edge splits"
    if cluster.kserve.mode is not KServeMode.KNATIVE:
        return
    if traffic.shadow is not None:
        yield ("shadow",), "copy requests", "use a canary, or a cluster in Standard mode"
    if traffic.blue_green is not None and traffic.blue_green.keep is not None:
        yield ("blueGreen", "keep"), "keep a version up that has no traffic", "remove `keep`: Knative ends it by itself"
    if traffic.ab is not None and not traffic.divided_by_graph:
        yield ("ab",), "split at the edge", "set `splitter: inferenceGraph`"
