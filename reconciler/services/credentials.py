"""Where the credentials of repositories elsewhere are found: by the address they are for, never in an intent.

`.ordain/credentials.json` is written by whoever runs the platform. It names files and variables and holds no secret:

    {"https://github.com/acme/intents": {"token": {"file": "/run/secrets/forge-token"},
                                         "webhookSecret": {"env": "FORGE_WEBHOOK_SECRET"}},
     "https://git.example/acme/mirror": {"app": {"id": "Iv1.0a1b", "key": {"file": "/run/secrets/app.pem"}}}}

A credential goes to the address it stands under and nowhere else: who may change platform.yaml cannot have it sent to
another place. Files and variables are read when they are needed, so that a renewed token counts at once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from reconciler.ports.errors import Stalled
from reconciler.services.files import read_document


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True)


class Reference(_Part):
    """A secret's place: a file, or a variable of the environment the platform was started in."""

    file: Path | None = None
    env: str | None = None

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        if (self.file is None) == (self.env is None):
            raise ValueError("a secret is in a `file` or in an `env` variable")
        return self

    def read(self) -> str:
        """Return the secret without the blanks around it; raises Stalled where it is not there."""
        if self.env is not None:
            text = os.environ.get(self.env, "")
            place = f"the variable {self.env}"
        else:
            text, place = _content(self.file or Path()), f"the file {self.file}"
        if not text.strip():
            raise Stalled(f"{place} holds no secret; write it there, and restart the platform for a new variable")
        return text.strip()


class App(_Part):
    """A GitHub App that is installed on the repository."""

    id: str
    """Its client id or number."""
    key: Reference
    """Its private key, in PEM."""


class Credential(_Part):
    """As whom the platform acts at one address."""

    token: Reference | None = None
    app: App | None = None
    webhook_secret: Reference | None = None
    """What the forge signs its webhooks with."""

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        if (self.token is None) == (self.app is None):
            raise ValueError("give a `token` or an `app`")
        return self


class Credentials:
    """The credentials in one file, as it is at each call."""

    def __init__(self, path: Path) -> None:
        """Read `path`, which need not be there."""
        self._path = path

    def of(self, address: str) -> Credential | None:
        """Return whom to be at an address, or None; raises Stalled where the file cannot be understood."""
        try:
            document = read_document(self._path) or {}
            known = {_plain(key): Credential.model_validate(value) for key, value in document.items()}
        except (ValueError, AttributeError, ValidationError) as error:
            raise Stalled(f"{self._path} cannot be understood: {_said(error)}") from None
        return known.get(_plain(address))

    def expected(self, address: str) -> Credential:
        """Return whom to be at an address; raises Stalled where nothing says so."""
        found = self.of(address)
        if found is None:
            raise Stalled(f"there are no credentials for {address}: name them in {self._path}, as docs/forges.md shows")
        return found


def _plain(address: str) -> str:
    return address.rstrip("/").removesuffix(".git").lower()


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _said(error: Exception) -> str:
    """Return what is wrong and where, without what stands there: it may be a secret in the wrong place."""
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    return type(error).__name__
