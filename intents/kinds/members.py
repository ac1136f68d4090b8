"""People and groups, and the roles they hold."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from intents.kinds.base import Part, Person, refuse


class Role(StrEnum):
    """What a person may do in a tenant."""

    VIEWER = "viewer"
    DEVELOPER = "developer"
    APPROVER = "approver"
    ADMIN = "admin"


class Subject(Part):
    """One user or one group."""

    user: Person | None = None
    group: Person | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.user is None) == (self.group is None):
            raise refuse("invalid-member", "a member is either a `user` or a `group`", "give exactly one")
        return self


class Member(Subject):
    """A user or group with roles in one tenant."""

    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
