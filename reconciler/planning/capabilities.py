"""What the reconciler cannot carry out yet, though the language can ask for it.

Such an intent is valid, can be planned and rendered; but nothing would act on it, so it is not committed.
"""

from __future__ import annotations

from collections.abc import Iterator

from intents.documents import Document
from intents.kinds import (
    ClusterSpec,
    Kind,
    ModelDeploymentSpec,
    PlatformSpec,
    RunSpec,
    Spec,
    TemplateSpec,
    TenantSpec,
)
from intents.kinds.cluster import KServeMode
from intents.kinds.model_deployment import Access
from intents.kinds.platform import AuthMode
from intents.problems import Problem, Severity

Gap = tuple[tuple[str, ...], str]
"""Where in the document, and what is not carried out."""


def not_carried_out(document: Document[Spec], severity: Severity = Severity.ERROR) -> tuple[Problem, ...]:
    """Return what nothing would act on in this version of the reconciler."""
    hint = "leave it out, or wait for a version that does"
    return tuple(
        document.problem(
            "not-carried-out",
            f"{what}: this version of the reconciler does not act on it",
            *place,
            hint=hint,
            severity=severity,
        )
        for place, what in _gaps(document)
    )


def _gaps(document: Document[Spec]) -> Iterator[Gap]:
    match document.spec:
        case RunSpec() as spec:
            yield from _of_run(spec)
        case ModelDeploymentSpec() as spec:
            yield from _of_deployment(spec)
        case PlatformSpec() as spec:
            yield from _of_platform(spec)
        case ClusterSpec() as spec:
            yield from _of_cluster(spec)
        case TenantSpec() as spec if spec.egress:
            yield ("spec", "egress"), "egress rules"
        case TemplateSpec() as spec if spec.training is not None:
            yield ("spec", "training"), "training templates"
        case _ if document.identity.kind in {Kind.SCHEDULE, Kind.TRAINING_JOB}:
            yield ("kind",), f"a {document.identity.kind}"
        case _:
            return


def _of_run(spec: RunSpec) -> Iterator[Gap]:
    if spec.deadline is not None:
        yield ("spec", "deadline"), "deadlines"
    if spec.tries > 1:
        yield ("spec", "tries"), "automatic tries"


def _of_deployment(spec: ModelDeploymentSpec) -> Iterator[Gap]:
    if spec.traffic.replace is None:
        name = next(name for name, each in spec.traffic.model_dump(by_alias=True).items() if each is not None)
        yield ("spec", "traffic"), f"the strategy `{name}`"
    if spec.endpoint.access is not Access.TENANT:
        yield ("spec", "endpoint", "access"), f"access `{spec.endpoint.access}`"
    if spec.endpoint.rate_limit is not None:
        yield ("spec", "endpoint", "rateLimit"), "rate limits"


def _of_platform(spec: PlatformSpec) -> Iterator[Gap]:
    if spec.auth.mode is AuthMode.JWT:
        yield ("spec", "auth"), "authentication by JWT"


def _of_cluster(spec: ClusterSpec) -> Iterator[Gap]:
    if spec.kserve.mode is KServeMode.KNATIVE:
        yield ("spec", "kserve", "mode"), "KServe's mode `Knative`"
