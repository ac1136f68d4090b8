"""Tenant: who shares the platform."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from intents.kinds.base import Hostname, ProjectName, Spec, Text
from intents.kinds.members import Member


class TenantSpec(Spec):
    """One tenant: its host names, its people."""

    MUTABLE: ClassVar = frozenset({"display_name", "hostnames", "default_project", "members"})

    display_name: Text
    hostnames: Annotated[tuple[Hostname, ...], Field(min_length=1)]
    """Labels under the platform's base domain."""
    default_project: ProjectName
    members: tuple[Member, ...] = ()
