"""Tenant: who shares the platform."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from intents.kinds.base import Cidr, Hostname, Part, ProjectName, Spec, Text
from intents.kinds.members import Member
from intents.kinds.resources import Quota

Port = Annotated[int, Field(strict=True, ge=1, le=65535)]


class Egress(Part):
    """One network that the tenant's pods may reach, over TCP."""

    to: Cidr
    """The network in CIDR notation, such as 10.0.0.0/8."""
    ports: Annotated[tuple[Port, ...], Field(min_length=1)]
    """The TCP ports."""


class TenantSpec(Spec):
    """One tenant: its host names, its people, what it may use and reach."""

    MUTABLE: ClassVar = frozenset({"display_name", "hostnames", "default_project", "quota", "members", "egress"})

    display_name: Text
    """What people call it."""
    hostnames: Annotated[tuple[Hostname, ...], Field(min_length=1)]
    """Its host names, as labels under the platform's base domain."""
    default_project: ProjectName
    """The project that is meant where a request names none."""
    quota: Quota = Field(default_factory=Quota, examples=[{"cpus": 64, "memory": "256Gi", "concurrentRuns": 20}])
    """What all its projects may use at once."""
    members: tuple[Member, ...] = Field(default=(), examples=[[{"group": "acme-ml", "roles": ["developer"]}]])
    """Who may do what in it."""
    egress: tuple[Egress, ...] = Field(default=(), examples=[[{"to": "10.0.0.0/8", "ports": [443]}]])
    """Networks that its pods may reach, beside DNS and the platform itself; they reach nothing else."""
