"""How traffic moves between the versions of a deployment: exactly one strategy."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import ConfigDict, Field, StrictInt, model_validator

from intents.kinds.base import Count, Duration, HeaderName, HeaderValue, Part, VersionName, refuse

Percent = Annotated[StrictInt, Field(ge=0, le=100)]


class Replace(Part):
    """Bring up the new version, move all traffic to it, end the old one."""


class Metric(StrEnum):
    """What a gate can look at, measured at the edge since the step began."""

    ERROR_RATE = "errorRate"
    """5xx answers by all answers, from 0 to 1."""
    P50_LATENCY_MS = "p50LatencyMs"
    P95_LATENCY_MS = "p95LatencyMs"
    P99_LATENCY_MS = "p99LatencyMs"


class Gate(Part):
    """A condition on the candidate without which a step is not left."""

    metric: Metric
    below: Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
    """The metric must stay below this."""
    min_requests: Count = 1
    """Fewer requests than these say nothing: the step waits."""


class CanaryStep(Part):
    """The candidate's share, and what must hold before the next step."""

    weight: Percent
    """The candidate's share of the traffic in percent; the last step is 100."""
    at_least: Duration | None = None
    """How long the step lasts at least; absent: until its gates hold."""
    gates: tuple[Gate, ...] = ()
    """What must hold of the candidate before the next step."""


class OnFailure(StrEnum):
    """What a failed gate does: go back to the stable version, or stop and wait for a person."""

    ROLLBACK = "rollback"
    HOLD = "hold"


class Pair(Part):
    """The version that serves, and the one that may take its place."""

    stable: VersionName
    """The name of the version that serves now."""
    candidate: VersionName
    """The name of the version that may take its place."""


class Canary(Pair):
    """Move traffic to the candidate step by step."""

    steps: Annotated[tuple[CanaryStep, ...], Field(min_length=1, max_length=50)]
    """The steps, in order; their weights rise to 100."""
    on_failure: OnFailure = OnFailure.ROLLBACK


class BlueGreen(Pair):
    """Bring the candidate up whole without traffic, then move all of it at once."""

    at_least: Duration | None = None
    """How long the candidate stands ready before traffic moves."""
    keep: Duration | None = None
    """How long the stable version stays up after that."""


class NameValue(Part):
    """A header or cookie with this very value."""

    name: HeaderName
    """The name of the header or cookie."""
    value: HeaderValue
    """The value it must have, exactly."""


_AT_THE_EDGE = "the edge takes it off every request before it looks where that goes"
_NOT_TO_MATCH = {
    "cookie": "it holds all cookies; match one of them by `cookie`",
    "host": "it is the tenant's own host name",
    "x-ordain-secret": _AT_THE_EDGE,
    "x-project-id": _AT_THE_EDGE,
    "x-tenant-id": _AT_THE_EDGE,
}
"""Names of headers, in lower case, that would never match or could overlap with others unseen."""


class Match(Part):
    """Requests that always reach one version: those with this header, or this cookie."""

    version: VersionName
    """The name of the version they reach."""
    header: NameValue | None = None
    """A header that the requests have; either this or `cookie`."""
    cookie: NameValue | None = None
    """A cookie that the requests have; either this or `header`."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.header is None) == (self.cookie is None):
            raise refuse("invalid-value", "a match is either a `header` or a `cookie`", "give exactly one")
        if self.header is not None and self.header.name.lower() in _NOT_TO_MATCH:
            message = f"the header {self.header.name} is no one's to match: {_NOT_TO_MATCH[self.header.name.lower()]}"
            raise refuse("invalid-value", message, "use another header")
        return self


class Splitter(StrEnum):
    """What divides the traffic: the edge, or a KServe InferenceGraph behind it."""

    EDGE = "edge"
    INFERENCE_GRAPH = "inferenceGraph"


class AB(Part):
    """Serve several versions side by side for comparison."""

    split: Annotated[dict[VersionName, Percent], Field(min_length=2, max_length=10)]
    """Percent of the requests that match nothing below, by version."""
    # A rule of an HTTPRoute has at most 64 matches, and all rules of one path must fit into one route with its 128.
    match: Annotated[tuple[Match, ...], Field(max_length=64)] = ()
    """Requests that always reach one version, whatever the split."""
    splitter: Splitter = Splitter.EDGE


class Shadow(Pair):
    """Send copies of requests to the candidate; its answers are thrown away."""

    percent: Annotated[StrictInt, Field(ge=1, le=100)] = 100
    """The share of the requests that are copied, in percent."""


Strategy = Replace | Canary | BlueGreen | AB | Shadow


class Traffic(Part):
    """How traffic moves; exactly one strategy."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    replace: Replace | None = None
    canary: Canary | None = None
    blue_green: BlueGreen | None = None
    ab: AB | None = None
    shadow: Shadow | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise refuse("invalid-value", f"exactly one strategy is wanted, not {found}", "keep one")
        return self

    @property
    def strategy(self) -> Strategy:
        """The one strategy."""
        found: Strategy = next(
            each for each in (self.replace, self.canary, self.blue_green, self.ab, self.shadow) if each is not None
        )
        return found

    @property
    def divided_by_graph(self) -> bool:
        """Whether an InferenceGraph divides requests, once there are several versions."""
        return self.ab is not None and self.ab.splitter is Splitter.INFERENCE_GRAPH
