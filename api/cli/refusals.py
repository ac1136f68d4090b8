"""How commands refuse what cannot be asked of them: one line, exit code 2, as click's own usage errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click


@contextmanager
def refused(*errors: type[Exception]) -> Iterator[None]:
    """Show these errors as usage errors."""
    try:
        yield
    except errors as error:
        raise click.UsageError(str(error)) from error
