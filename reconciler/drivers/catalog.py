"""The Catalog port over the API's own socket: workers read packages as any client does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import httpx

from reconciler.ports.errors import Stalled, Waiting

TIMEOUT_SECONDS = 10.0
PRINCIPAL = "ordain-run-orchestrator"


class ApiCatalog:
    """Asks the API on its unix socket, which only the platform's own user can reach."""

    def __init__(self, socket: Path, host: Callable[[], str]) -> None:
        """Talk to the API on `socket`; `host` gives the platform's base domain."""
        self._client = httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(socket)), timeout=TIMEOUT_SECONDS)
        self._host = host

    async def package(self, tenant: str, template: str, commit: str) -> bytes:
        """Return the package of `name@version`, its sha256 verified against the template."""
        url = f"http://{self._host()}/api/v1/templates/{template}/package"
        headers = {"X-Tenant-Id": tenant, "X-Forwarded-User": PRINCIPAL}
        try:
            answer = await self._client.get(url, params={"commit": commit}, headers=headers)
        except httpx.TransportError as error:
            raise Waiting(f"the API at its socket: {error!r}") from error
        if answer.status_code == HTTPStatus.NOT_FOUND:
            raise LookupError(answer.json()["detail"])
        if answer.status_code != HTTPStatus.OK:
            raise Waiting(f"the API answered {answer.status_code} for the package of {template}")
        wanted, found = answer.headers["X-Content-Sha256"], hashlib.sha256(answer.content).hexdigest()
        if wanted != found:
            raise Stalled(f"the package of {template} at {commit} has sha256 {found}, its template says {wanted}")
        return answer.content

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
