"""Commands that ask a platform: which one, and as whose tenant."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from api.cli.refusals import Exit
from api.cli.root import root_option
from api.cli.session import NO_TENANT, TOKEN, Advice, Session, ended_readably
from api.client import Address, Client, NoAddress, Patience, Unavailable
from api.client.connection import Means
from api.client.references import PLATFORMS_OWN
from api.problem_text import shown
from intents.kinds.base import Kind


@dataclass(frozen=True)
class Remote:
    """The platform that a command asks."""

    server: str | None
    """Its address; None for the one of the folder `root`."""
    tenant: str | None
    project: str | None
    root: Path
    person: str | None = None
    """For whom it is asked, on this machine; None for whom the edge names."""
    said: tuple[str, ...] = ()
    """The options among those above that stood on the command line, for another command to be given them, too."""

    def command(self, *words: str) -> str:
        """Return a command that asks the same platform, to be typed as it is."""
        return " ".join(["ordain", *words, *map(shlex.quote, self.said)])

    @contextmanager
    def session(self, kind: Kind | None = None, *, refused: Exit = Exit.REFUSED) -> Iterator[Session]:
        """Connect: for a kind that lies outside all tenants, to the bare host. Errors end the command, readably."""
        tenant = None if kind in PLATFORMS_OWN else self.tenant
        try:
            client = self._client(tenant)
        except NoAddress as error:
            raise click.UsageError(str(error)) from error
        with client:
            session = Session(client, self.command)
            advice = self._advice(outside=self.tenant is not None and tenant is None)
            with ended_readably(session, refused, advice):
                yield session

    def _client(self, tenant: str | None) -> Client:
        address, token = self._address(), os.environ.get(TOKEN)
        if token and address.url.startswith("http://") and not address.is_here:
            raise NoAddress(f"{address} is not encrypted: {TOKEN} goes over https only")
        patience = Patience() if self._is_up() else Patience(0)
        return Client(
            address,
            tenant=tenant,
            project=self.project,
            token=token,
            patience=patience,
            tell=Telling(patience),
            means=self._means(),
        )

    def _means(self) -> Means | None:
        if not self.person:
            return None
        if self.server:
            raise NoAddress("--as speaks through a socket of this machine: leave --server out")
        from api.composition.local import SpeakingFor  # noqa: PLC0415 - who asks another machine needs no git
        from reconciler.services.layout import Layout  # noqa: PLC0415

        return Means(SpeakingFor(self.person, Layout(self.root)))

    def _address(self) -> Address:
        if self.server:
            return Address.of(self.server)
        from api.composition.local import local_address  # noqa: PLC0415 - who asks another machine needs no git
        from reconciler.services.layout import Layout  # noqa: PLC0415
        from reconciler.services.settings import NotSetUp  # noqa: PLC0415

        try:
            return local_address(Layout(self.root))
        except NotSetUp as error:
            raise NoAddress(f"{error}, or say where one is by --server") from error

    def _is_up(self) -> bool:
        """Whether somebody brings the platform back when it does not answer."""
        if self.server:
            return True
        from reconciler.services.layout import Layout  # noqa: PLC0415 - as above
        from reconciler.services.lock import supervisor_of  # noqa: PLC0415

        return supervisor_of(Layout(self.root)) is not None

    def _advice(self, *, outside: bool) -> Advice:
        return Advice(
            unavailable="" if self._is_up() else f"the platform of {self.root} is not up: start it with `ordain up`",
            no_tenant="it lies outside all tenants: only platform admins see it" if outside else NO_TENANT,
        )


class Telling:
    """Says once that something is asked again."""

    def __init__(self, patience: Patience) -> None:
        """Prepare to say for how long at most."""
        self._seconds, self._told = patience.seconds, False

    def __call__(self, unavailable: Unavailable) -> None:
        """Say why."""
        if not self._told:
            click.echo(f"{shown(unavailable.detail)}; asking again for up to {self._seconds:.0f} s", err=True)
        self._told = True


def asks_platform(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which platform it asks, and that platform as its first argument."""
    options = (
        click.option("-t", "--tenant", envvar="ORDAIN_TENANT", show_envvar=True, help="Whose intents."),
        click.option(
            "-n", "--project", envvar="ORDAIN_PROJECT", show_envvar=True, help=_PROJECT, show_default=_DEFAULT
        ),
        click.option(
            "--server", metavar="URL", envvar="ORDAIN_SERVER", show_envvar=True, help=_SERVER, show_default=_HERE
        ),
        click.option("--as", "person", metavar="USER[,GROUP…]", help=_AS),
        root_option,
    )

    @wraps(command)
    def called(
        *,
        tenant: str | None,
        project: str | None,
        server: str | None,
        person: str | None,
        root: Path,
        **more: Any,
    ) -> None:
        command(Remote(server, tenant, project, root, person, tuple(_said())), **more)

    for option in reversed(options):
        called = option(called)
    return called


_PROJECT, _DEFAULT = "The project that names are in.", "the tenant's defaultProject"
_SERVER, _HERE = "The platform's address, or a tenant's.", "the one of --root, on this machine"
_AS = "Speak for this person, through the platform's own socket: whoever owns its folder can."
_REPEATED = {"tenant": "-t", "project": "-n", "server": "--server", "person": "--as", "root": "--root"}


def _said() -> Iterator[str]:
    context = click.get_current_context()
    for name, option in _REPEATED.items():
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            yield from (option, str(context.params[name]))
