"""Events: facts that happened. The wire form is CloudEvents 1.0 JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from intents.identity import Identity
from intents.kinds.base import Kind
from intents.names import PLATFORM_TENANT


@dataclass(frozen=True)
class Fact:
    """One thing that happened, before it is stored."""

    tenant: str
    project: str
    noun: str
    verb: str
    name: str
    """Name of the thing it happened to."""
    commit: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    id: UUID | None = None
    """Of a fact that may be told twice: the second telling changes nothing."""


@dataclass(frozen=True)
class Event:
    """One stored fact."""

    id: UUID
    sequence: int
    at: datetime
    fact: Fact

    @property
    def subject(self) -> str:
        """The NATS subject: `ordain.<tenant>.<project>.<noun>.<verb>`; `-` where there is no project."""
        fact = self.fact
        return f"ordain.{fact.tenant or '-'}.{fact.project or '-'}.{fact.noun}.{fact.verb}"

    def to_cloudevent(self) -> dict[str, Any]:
        """Return the event as CloudEvents 1.0 JSON."""
        fact = self.fact
        return {
            "specversion": "1.0",
            "id": str(self.id),
            "source": f"/tenants/{fact.tenant}/projects/{fact.project}",
            "type": f"dev.ordain.{fact.noun}.{fact.verb}",
            "subject": fact.name,
            "time": self.at.isoformat(),
            "datacontenttype": "application/json",
            "data": {"tenant": fact.tenant, "project": fact.project, "commit": fact.commit, **fact.data},
        }


COMMITTED = {
    Kind.RUN: ("run", "committed"),
    Kind.MODEL_VERSION: ("model", "registered"),
    Kind.MODEL_DEPLOYMENT: ("deployment", "committed"),
    Kind.ROLLOUT: ("rollout", "stepped"),
}


def committed_fact(identity: Identity, path: str, blob: str | None, commit: str, request: str) -> Fact:
    """Return the fact that an intent was committed, or removed where `blob` is None."""
    noun, verb = COMMITTED.get(identity.kind, (identity.kind.value.lower(), "committed"))
    name = f"{identity.name}@{identity.version}" if identity.version else identity.name
    data = {"path": path, "blob": blob, "request": request}
    told_once = uuid5(NAMESPACE_OID, f"ordain/{commit}/{path}")
    tenant = identity.tenant or PLATFORM_TENANT
    return Fact(tenant, identity.project, noun, verb if blob else "removed", name, commit, data, told_once)
