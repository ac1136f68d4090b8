"""People and groups, and the roles they hold."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from intents.kinds.base import Part, Person, refuse

WORKER_PREFIX = "ordain-"
"""The platform's own principals are `ordain-<worker>`; no person may be called so."""


class Role(StrEnum):
    """What a person may do in a tenant: viewer reads, developer writes, approver agrees to changes, admin does all."""

    VIEWER = "viewer"
    DEVELOPER = "developer"
    APPROVER = "approver"
    ADMIN = "admin"


class Subject(Part):
    """One user or one group."""

    user: Person | None = None
    """A person, as the identity provider calls them."""
    group: Person | None = None
    """A group, as the identity provider calls it."""

    @model_validator(mode="after")
    def _is_one_person_or_group(self) -> Self:
        if (self.user is None) == (self.group is None):
            raise refuse("invalid-member", "a member is either a `user` or a `group`", "give exactly one")
        if self.user is not None and self.user.startswith(WORKER_PREFIX):
            raise refuse("invalid-member", f"{WORKER_PREFIX}… are the platform's own principals", "name a person")
        return self


class Member(Subject):
    """A user or group with roles in one tenant."""

    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    """What they may do in the tenant."""
