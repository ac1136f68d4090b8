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
    ports: Annotated[tuple[Port, ...], Field(min_length=1)]


class TenantSpec(Spec):
    """One tenant: its host names, its people, what it may use and reach."""

    MUTABLE: ClassVar = frozenset({"display_name", "hostnames", "default_project", "quota", "members", "egress"})

    display_name: Text
    hostnames: Annotated[tuple[Hostname, ...], Field(min_length=1)]
    """Labels under the platform's base domain."""
    default_project: ProjectName
    quota: Quota = Field(default_factory=Quota)
    members: tuple[Member, ...] = ()
    egress: tuple[Egress, ...] = ()
    """Beside DNS and the platform itself; nothing else is reached."""
