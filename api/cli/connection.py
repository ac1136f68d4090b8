"""Which platform a command talks to, for which tenant, and as whom."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
import httpx

from api.cli.client import ApiProblem, Client
from api.cli.refusals import Refused
from api.cli.root import root_option
from reconciler.services.layout import Layout
from reconciler.services.settings import NotSetUp, Settings

T = TypeVar("T")

PLATFORM = "platform"
"""Stands for a tenant's name where the platform itself is meant."""


@dataclass(frozen=True)
class Speaker:
    """Whose platform, whose host, and who speaks; empty is whom the edge names."""

    root: Path
    tenant: str
    person: str = ""


def speaker_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say whose platform, which tenant and who; it gets them as `speaker`."""

    @root_option
    @click.option("--as", "person", metavar="USER[,GROUP…]", default="", help=_AS)
    @click.option("--tenant", metavar="TENANT", envvar="ORDAIN_TENANT", required=True, help=_TENANT)
    @functools.wraps(command)
    def asked(*, root: Path, tenant: str, person: str, **more: Any) -> None:
        command(speaker=Speaker(root, tenant, person), **more)

    return asked


_TENANT = f"Whose; `{PLATFORM}` is the platform itself. Also from ORDAIN_TENANT."
_AS = "Speak for this person, through the platform's own socket: whoever owns its folder can."


@dataclass(frozen=True)
class Connector:
    """How commands connect; a test gives its own as click's object."""

    connect: Callable[[Speaker], Client]


def connected(speaker: Speaker) -> Client:
    """Return a client of the platform that runs at a root on this machine.

    A tenant is reached by its path on the bare host: its host names are its own choice. A named person is spoken for
    through the API's own socket, which lies in a folder that only its owner may enter.
    """
    from api.composition.parts import base_domain  # noqa: PLC0415 - other commands start without it

    layout = Layout(speaker.root)
    settings = Settings.load(layout)
    path = "" if speaker.tenant == PLATFORM else f"/t/{speaker.tenant}"
    if not speaker.person:
        return Client(f"http://127.0.0.1:{settings.edge_port}{path}", base_domain(layout))
    transport = httpx.AsyncHTTPTransport(uds=str(settings.api_socket))
    user, *groups = speaker.person.split(",")
    headers = {"X-Forwarded-User": user, "X-Forwarded-Groups": ",".join(groups)}
    return Client(f"http://api{path}", base_domain(layout), transport, headers)


def ask(speaker: Speaker, asking: Callable[[Client], Awaitable[T]]) -> T:
    """Ask the API; what it refuses, and a platform that is not there, are told in a few lines and exit code 1."""
    connector = click.get_current_context().find_object(Connector) or Connector(connected)

    async def asked() -> T:
        async with connector.connect(speaker) as client:
            return await asking(client)

    try:
        return asyncio.run(asked())
    except (ApiProblem, NotSetUp) as problem:
        raise Refused(str(problem)) from problem
