"""The client: one tenant of one platform, or the platform itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from types import TracebackType
from typing import Self
from urllib.parse import quote

from api.client.address import Address
from api.client.changes import Changes
from api.client.connection import API, Connection, Means, Patience
from api.client.deployments import Deployments
from api.client.errors import Unavailable
from api.client.intents import Intents
from api.client.references import VERSIONED, Ambiguous, Reference
from api.client.runs import Models, Runs
from api.client.views import Event, IntentItem, Page, Template
from intents.identity import IN_PROJECT, Identity, path_of
from intents.kinds.base import Kind

_SOME_VERSION = {Kind.TEMPLATE: "1.0.0", Kind.MODEL_VERSION: "1"}
"""With which a name alone is looked at."""
IN_TENANT = frozenset({Kind.PROJECT, *IN_PROJECT})


class Client:
    """What one person can ask of a platform.

    `url` is the address of a tenant's host, or of the bare host; there, `tenant` says whose. Without one, platform
    admins reach the platform's own intents. `project` is the tenant's default project where it is left out. Who the
    person is the edge says, by `token` where it asks for one; a client never does.

    What is not available is asked again for a while (`patience`), writes under one Idempotency-Key. A client reads
    its own writes. It may be used by several threads.
    """

    def __init__(
        self,
        url: str | Address,
        *,
        tenant: str | None = None,
        project: str | None = None,
        token: str | None = None,
        patience: Patience | None = None,
        tell: Callable[[Unavailable], None] | None = None,
        means: Means | None = None,
    ) -> None:
        """Prepare; enter to connect. Raises NoAddress. `tell` is told before something is asked again."""
        self.address = Address.of(url) if isinstance(url, str) else url
        self._tenant, self._project = tenant, project
        self._connection = Connection(
            self.address, tenant=tenant, token=token, patience=patience, tell=tell, means=means
        )
        asked = {"project": project} if project else {}
        self.intents = Intents(self._connection, asked)
        self.changes = Changes(self._connection)
        self.runs = Runs(self._connection, asked)
        self.models = Models(self._connection, asked)
        self.deployments = Deployments(self._connection, asked)

    def __enter__(self) -> Self:
        self._connection.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self._connection.__exit__(kind, error, trace)

    @cached_property
    def tenant(self) -> str:
        """Whose intents these are; empty for the platform's own. A tenant's host says it by what lies there."""
        if self._tenant is not None:
            return self._tenant
        page = self._connection.view(Page[IntentItem], f"{API}/intents", {"limit": 1})
        return page.items[0].tenant if page.items else ""

    @cached_property
    def project(self) -> str:
        """The project that is meant where a name says none. Raises Ambiguous on the bare host."""
        if self._project is not None:
            return self._project
        tenant = self.intents.get(path_of(Identity(Kind.TENANT, self._some_tenant(), self.tenant)))
        document = tenant.document
        spec = document.get("spec") if isinstance(document, dict) else None
        return str(spec["defaultProject"]) if isinstance(spec, dict) else ""

    def find_path(self, reference: Reference) -> str | None:
        """Return where an intent lies; None where there is none, of a run or without a version.

        Raises Ambiguous, and InvalidIntent for names that cannot be.
        """
        if reference.kind is Kind.RUN or (reference.kind in VERSIONED and not reference.version):
            path_of(self._identity(replace(reference, version=_SOME_VERSION.get(reference.kind, ""))))
            project = self.project if reference.kind in IN_PROJECT else None
            found = self.intents.list(reference.kind, project=project, name=reference.name)
            newest = max(found, key=_age, default=None)
            return newest.path if newest else None
        return path_of(self._identity(reference))

    def new_path(self, reference: Reference) -> str:
        """Return the same; where there is no such run, the path of one of today (UTC). Raises Ambiguous."""
        if reference.kind in VERSIONED and not reference.version:
            raise Ambiguous(f"which version of {reference}? write {reference}@VERSION")
        return self.find_path(reference) or path_of(self._identity(reference))

    def templates(self) -> tuple[Template, ...]:
        """Return the templates that are offered to the tenant."""
        return self._connection.view(Page[Template], f"{API}/templates").items

    def template(self, reference: Reference) -> Template:
        """Return one of them; without a version, the newest. Raises NotFound."""
        return self._connection.view(Template, f"{API}/templates/{quote(reference.label, safe='@')}")

    def events(self, limit: int = 100) -> tuple[Event, ...]:
        """Return the tenant's newest events, newest first; at most 500."""
        return self._connection.view(Page[Event], f"{API}/timeline", {"limit": limit}).items

    def _identity(self, reference: Reference) -> Identity:
        kind, name, version = reference.kind, reference.name, reference.version
        if kind is Kind.TENANT:
            return Identity(kind, name, name)
        tenant = self._some_tenant() if kind in IN_TENANT else ""
        project = self.project if kind in IN_PROJECT else name if kind is Kind.PROJECT else ""
        date = datetime.now(UTC).date().isoformat() if kind is Kind.RUN else ""
        return Identity(kind, name, tenant, project, version, date)

    def _some_tenant(self) -> str:
        if not self.tenant:
            raise Ambiguous("which tenant? name one, or use the address of its own host")
        return self.tenant


def _age(item: IntentItem) -> tuple[int | str, ...]:
    """Order runs by their date, versions by their numbers."""
    return tuple(int(part) for part in item.version.split(".")) if item.version else (item.date,)
