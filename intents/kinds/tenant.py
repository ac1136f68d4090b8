"""Tenant: who shares the platform."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from intents.kinds.base import Hostname, ProjectName, Spec, Text
from intents.kinds.members import Member
from intents.kinds.network import Egress
from intents.kinds.resources import Quota


class TenantSpec(Spec):
    """One tenant: its host names, its people, what it may use and reach."""

    MUTABLE: ClassVar = frozenset({"display_name", "hostnames", "default_project", "quota", "members", "egress"})

    display_name: Text
    """What people call it."""
    # One HTTPRoute takes 16.
    hostnames: Annotated[tuple[Hostname, ...], Field(min_length=1, max_length=16)]
    """Its host names, as labels under the platform's base domain."""
    default_project: ProjectName
    """The project that is meant where a request names none."""
    quota: Quota = Field(default_factory=Quota, examples=[{"cpus": 64, "memory": "256Gi", "concurrentRuns": 20}])
    """What all its projects may use at once."""
    members: tuple[Member, ...] = Field(default=(), examples=[[{"group": "acme-ml", "roles": ["developer"]}]])
    """Who may do what in it."""
    egress: tuple[Egress, ...] = Field(default=(), examples=[[{"to": "10.0.0.0/8", "ports": [443]}]])
    """Networks that its pods may reach, beside DNS and the platform itself; they reach nothing else."""
