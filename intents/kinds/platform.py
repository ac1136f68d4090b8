"""Platform: what holds for everyone."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from intents.kinds.base import Part, Spec
from intents.kinds.members import Subject

_DOMAIN = r"^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+(?:-[a-z0-9]+)*)*$"


class Home(StrEnum):
    """Where `main` lives."""

    LOCAL = "local"


class AuthMode(StrEnum):
    """How a person is known: `passthrough` believes the edge in front."""

    PASSTHROUGH = "passthrough"


class Repository(Part):
    """The state repository. Uids of runs are derived from `uid`, so it is made once, at seeding."""

    uid: UUID
    home: Home = Home.LOCAL


class Auth(Part):
    """How people are authenticated."""

    mode: AuthMode = AuthMode.PASSTHROUGH


class PlatformSpec(Spec):
    """The platform's own settings."""

    MUTABLE: ClassVar = frozenset({"base_domain", "admins", "auth"})

    base_domain: Annotated[str, Field(pattern=_DOMAIN, max_length=189)]
    """Tenants' host names are labels under it. 253 characters less a label and its dot."""
    repository: Repository
    admins: Annotated[tuple[Subject, ...], Field(min_length=1)]
    auth: Auth = Field(default_factory=Auth)
