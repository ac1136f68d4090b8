"""What people see of a list: a table a kind, with where things stand where the platform knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from api.cli.session import SHORT, name_of
from api.cli.tables import age
from api.client import Client, NotFound, Reference
from api.client.views import Deployment, IntentItem, Run, Template
from intents.identity import IN_PROJECT
from intents.kinds.base import Kind

Row = tuple[str, ...]
Listing = list[Row]


def listing(client: Client, kind: Kind | None, *, wide: bool) -> Listing:
    """Return the table of all intents of a kind in the client's project, or of every kind: headings, and a row each."""
    match kind:
        case None:
            return _intents(client.intents.list(project=project_of(client, None)), wide=wide, name=_name)
        case Kind.RUN:
            return _runs(client.runs.list(), wide=wide)
        case Kind.MODEL_DEPLOYMENT:
            return _deployments(client.deployments.list(), wide=wide)
        case Kind.TEMPLATE if client.tenant:
            return _catalog(client.templates())
        case _:
            return _intents(client.intents.list(kind, project=project_of(client, kind)), wide=wide)


def project_of(client: Client, kind: Kind | None) -> str | None:
    """Return in which project a kind is listed; None for kinds that lie in none, and outside tenants."""
    return client.project if kind in IN_PROJECT or (kind is None and client.tenant) else None


def listing_of_one(client: Client, reference: Reference, *, wide: bool) -> Listing:
    """Return the same with one row. Raises NotFound."""
    match reference.kind:
        case Kind.RUN:
            return _runs([client.runs.get(reference.name)], wide=wide)
        case Kind.MODEL_DEPLOYMENT:
            return _deployments([client.deployments.get(reference.name)], wide=wide)
        case Kind.TEMPLATE if client.tenant:
            return _catalog([client.template(reference)])
    path = client.find_path(reference)
    project = project_of(client, reference.kind)
    items = client.intents.list(reference.kind, project=project, name=reference.name)
    found = [item for item in items if item.path == path]
    if not found:
        raise NotFound(f"there is no {reference}")
    return _intents(found, wide=wide)


def _runs(runs: Iterable[Run], *, wide: bool) -> Listing:
    headings = ("NAME", "STATE", "ATTEMPT", "TEMPLATE", "MODEL", "AGE")
    more = ("COMMIT", "REASON") if wide else ()
    rows = [
        (each.name, each.state, str(each.attempt), each.template, each.model, age(each.created_at, datetime.now(UTC)))
        + ((each.commit[:SHORT], each.reason) if wide else ())
        for each in runs
    ]
    return [headings + more, *rows]


def _deployments(deployments: Iterable[Deployment], *, wide: bool) -> Listing:
    headings = ("NAME", "READY", "LIVE", "ASKED")
    more = ("BLOB", "INFERENCES") if wide else ()
    rows = [
        (each.name, "yes" if each.ready else "no", _live(each), _asked(each))
        + ((each.blob[:SHORT], each.path) if wide else ())
        for each in deployments
    ]
    return [headings + more, *rows]


def _live(deployment: Deployment) -> str:
    live = deployment.rollout.live if deployment.rollout else ()
    held = " (held)" if deployment.rollout and deployment.rollout.hold else ""
    return ", ".join(f"{each.name} {each.weight}%" for each in live) + held


def _asked(deployment: Deployment) -> str:
    return ", ".join(f"{each.name}={each.model}" for each in deployment.spec.versions)


def _catalog(templates: Iterable[Template]) -> Listing:
    return [("NAME", "DEPRECATED"), *((each.id, each.deprecated or "") for each in templates)]


def _intents(items: Iterable[IntentItem], *, wide: bool, name: Callable[[IntentItem], str] | None = None) -> Listing:
    headings = ("NAME", "BY", "AGE", "COMMIT")
    more = ("BLOB", "LABELS", "PATH") if wide else ()
    rows = [
        ((name or _label)(each), each.author, age(each.committed_at, datetime.now(UTC)), each.commit[:SHORT])
        + ((each.blob[:SHORT], _labels(each), each.path) if wide else ())
        for each in items
    ]
    return [headings + more, *rows]


def _name(item: IntentItem) -> str:
    return name_of(item.path)


def _label(item: IntentItem) -> str:
    return Reference(item.kind, item.name, item.version).label


def _labels(item: IntentItem) -> str:
    return ",".join(f"{key}={value}" for key, value in item.labels.items())
