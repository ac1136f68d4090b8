"""Whom to be at a cluster's API server, and how to reach it.

Credentials stay where they are: a kubeconfig is named by its path and read again whenever the server does not know
whoever asks, so rotated tokens and certificates, credential plugins and the account of a pod all work.

The `kubernetes` library reads kubeconfigs; requests go by httpx. Loading the library costs 86 MB and 1-4 s of the
process that does; its watch holds a thread each and builds a model of every object, where a watch here is a task.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from reconciler.ports.errors import Stalled, Waiting

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 15.0
FIELD_MANAGER = "ordain"


@dataclass(frozen=True)
class ClusterAccess:
    """Where the credentials for a cluster are: a kubeconfig, or nothing, for the account of this very pod."""

    kubeconfig: Path | None = None
    context: str | None = None
    """One of the kubeconfig's; None is its current one."""

    @property
    def named(self) -> str:
        """Say it for a person."""
        context = f", context {self.context}" if self.context else ""
        return f"the kubeconfig {self.kubeconfig}{context}" if self.kubeconfig else "the account of this pod"


class ApiServer:
    """One cluster's API server. Requests raise Waiting while it is away, Stalled where it refuses whoever asks."""

    def __init__(self, access: ClusterAccess) -> None:
        """Reach nothing yet."""
        self._access = access
        self._client: httpx.AsyncClient | None = None
        self._retired: httpx.AsyncClient | None = None
        self._opening = asyncio.Lock()

    async def client(self) -> httpx.AsyncClient:
        """Return a client that is whoever the credentials say."""
        async with self._opening:
            if self._client is None:
                self._client = await asyncio.to_thread(_connected, self._access)
        return self._client

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Return an answer, whatever its status but 401; credentials that were replaced meanwhile are read again."""
        client = await self.client()
        answer = await _answered(client, method, path, options)
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            await self.forget(client)
            answer = await _answered(await self.client(), method, path, options)
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            raise Stalled(f"the API server does not know {self._access.named}: renew its credentials")
        return answer

    async def forget(self, client: httpx.AsyncClient) -> None:
        """Read the credentials again before the next request, unless that was done since `client` was given.

        What others have under way by it may end in peace: it is closed when its successor is forgotten.
        """
        if self._client is client:
            retired, self._retired, self._client = self._retired, client, None
            if retired is not None:
                await retired.aclose()

    async def close(self) -> None:
        """Close the connections."""
        for each in (self._client, self._retired):
            if each is not None:
                await each.aclose()


async def _answered(client: httpx.AsyncClient, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
    try:
        return await client.request(method, path, **options)
    except httpx.TransportError as error:
        raise Waiting(f"the API server at {client.base_url} does not answer: {error!r}") from error


def refuse_failure(answer: httpx.Response, doing: str) -> None:
    """Raise what an answer's status means for whoever asked; a success means nothing."""
    if answer.is_success:
        return
    words = _words(answer)
    if answer.status_code == HTTPStatus.FORBIDDEN:
        hint = "`ordain install` renders the rights that ordain needs"
        raise Stalled(f"the API server refuses {doing}: {words}; {hint}")
    raise Waiting(f"the API server answered {answer.status_code}, {doing}: {words}")


def _words(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError, httpx.ResponseNotRead):
        return answer.reason_phrase


class _Bearer(httpx.Auth):
    """The token of a kubeconfig, asked for anew at each request: plugins and pods renew theirs."""

    def __init__(self, configuration: Any) -> None:
        """Ask `configuration`."""
        self._configuration = configuration

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Send the token where there is one."""
        token = await asyncio.to_thread(self._configuration.get_api_key_with_prefix, "authorization")
        if token:
            request.headers["Authorization"] = token
        yield request


def _connected(access: ClusterAccess) -> httpx.AsyncClient:
    """Return a client by the kubeconfig as it is now. Raises Stalled where it cannot be read."""
    from kubernetes import client, config  # noqa: PLC0415 - heavy, and of no use without a cluster

    configuration = client.Configuration()
    try:
        if access.kubeconfig is None:
            config.load_incluster_config(client_configuration=configuration)
        else:
            config.load_kube_config(str(access.kubeconfig), access.context, configuration, persist_config=False)
    except (config.ConfigException, OSError) as error:
        raise Stalled(f"{access.named} cannot be read: {error}") from error
    return httpx.AsyncClient(
        base_url=configuration.host,
        verify=_tls(configuration),
        auth=_Bearer(configuration),
        timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS, pool=None),
        limits=httpx.Limits(max_connections=None),
        trust_env=False,
    )


def _tls(configuration: Any) -> ssl.SSLContext | bool:
    if not configuration.host.startswith("https:"):
        return False
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if not configuration.verify_ssl:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return context
