"""The platform on this machine, as a client reaches it."""

from __future__ import annotations

import httpx

from api.client.address import Address
from intents.documents import of_spec
from intents.kinds import PlatformSpec
from intents.reading import read
from intents.tree import PLATFORM_PATH
from reconciler.services.layout import Layout
from reconciler.services.settings import NotSetUp, Settings
from reconciler.stores.git.repository import GitRepository


def local_address(layout: Layout) -> Address:
    """Return the bare host of the platform at a root, on its edge's port. Raises NotSetUp."""
    return Address.here(Settings.load(layout).edge_port, base_domain(layout))


def base_domain(layout: Layout) -> str:
    """Return the base domain at the head of a root's repository; no other intent is read. Raises NotSetUp."""
    repository = GitRepository(layout.repository) if layout.repository.exists() else None
    head = repository.head() if repository else None
    body = repository.read(head, PLATFORM_PATH) if repository and head else None
    platform = of_spec(read(PLATFORM_PATH, body), PlatformSpec) if body else None
    if platform is None:
        raise NotSetUp(f"{layout.root} has no platform yet; start one with `ordain up`")
    return platform.spec.base_domain


class SpeakingFor(httpx.BaseTransport):
    """Requests in a person's name, past the edge: through the API's own socket, in a folder only its owner may enter.

    `person` is `USER[,GROUP…]`. Raises NotSetUp.
    """

    def __init__(self, person: str, layout: Layout) -> None:
        """Prepare; nothing is connected yet."""
        user, *groups = person.split(",")
        self._named = {"X-Forwarded-User": user, "X-Forwarded-Groups": ",".join(groups)}
        self._transport = httpx.HTTPTransport(uds=str(Settings.load(layout).api_socket))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Say who asks, as the edge would."""
        request.headers.update(self._named)
        return self._transport.handle_request(request)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()
