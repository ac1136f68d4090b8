"""How commands refuse what cannot be asked of them: exit code 2, as click's own usage errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import click

from api.problem_text import shown
from reconciler.ports.errors import Stalled


class Exit(IntEnum):
    """How commands end that ask a platform."""

    REFUSED = 1
    USAGE = 2
    CONFLICT = 3
    """What was read has changed since."""
    UNAVAILABLE = 4
    """Not now; the same may be asked again."""


class _Told(click.ClickException):
    """An error that may hold what tenants wrote: nothing of it but its line breaks does anything to a terminal."""

    def __init__(self, message: str) -> None:
        super().__init__("\n".join(map(shown, message.split("\n"))))


class Unreadable(_Told):
    """What a command is about cannot be read; one line says what, and why."""

    exit_code = 2


class Refused(_Told):
    """What a command is about has problems; one line names the first."""

    exit_code = 1


@contextmanager
def refused(*errors: type[Exception]) -> Iterator[None]:
    """Show these errors as usage errors."""
    try:
        yield
    except errors as error:
        raise click.UsageError(str(error)) from error


@contextmanager
def readable() -> Iterator[None]:
    """Show what stalls the reading of a repository in one line."""
    try:
        yield
    except Stalled as error:
        raise Unreadable(str(error)) from error
