"""`ordain rebuild` and `ordain adopt`: the ledger after it was lost, and main after its history was rewritten."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from api.cli.root import root_option
from reconciler.ports.errors import Conflict, Stalled, Waiting
from reconciler.services.layout import Layout
from reconciler.services.settings import NotSetUp, Settings
from reconciler.workers.rebuild import Adopted, NothingToDo, Rebuild, Rebuilt

SHOWN = 20
"""Paths that differ, of which the first are listed."""

T = TypeVar("T")


@click.command()
@root_option
def rebuild(root: Path) -> None:
    """Make what the ledger shows of main anew, from git and storage, while the platform is up.

    Requests, events and runs that the ledger knows stay. A run that it does not know is what its record in storage
    says, or `unknown`; it never runs again unless someone raises its `attempt`.
    """
    done: Rebuilt = _do(root, lambda work: work.rebuild())
    click.echo(f"projected {done.commits:,} commits up to {done.head}")
    click.echo(f"runs that the ledger did not know: {done.recalled}")


@click.command()
@click.argument("commit")
@root_option
def adopt(commit: str, root: Path) -> None:
    """Go on from COMMIT as main, though it does not descend from what main was.

    What differs in all is taken over: documents that are gone or changed count so, runs that nobody knew are run,
    and those that are gone are cancelled. Look at it first: `git diff OLD COMMIT` in .ordain/state.git.
    """
    done: Adopted = _do(root, lambda work: _adopt(work, commit))
    click.echo(
        f"main is {done.head}; {len(done.paths)} documents differ from what it was, {len(done.runs)} runs are new"
    )
    for path in done.paths[:SHOWN]:
        click.echo(f"  {path}")
    if len(done.paths) > SHOWN:
        click.echo(f"  and {len(done.paths) - SHOWN} more")


async def _adopt(work: Rebuild, commit: str) -> Adopted:
    try:
        found = work.repository.info(commit).id
    except (KeyError, ValueError) as error:
        raise click.ClickException(f"there is no commit {commit} in the state repository") from error
    return await work.adopt(found)


def _do(root: Path, deed: Callable[[Rebuild], Awaitable[T]]) -> T:
    from api.composition.rebuild import rebuilding  # noqa: PLC0415 - other commands start without it

    async def done() -> T:
        async with rebuilding(Settings.load(Layout(root))) as work:
            return await deed(work)

    try:
        return asyncio.run(done())
    except (NotSetUp, NothingToDo, Stalled, Conflict) as error:
        raise click.ClickException(str(error)) from error
    except Waiting as error:
        raise click.ClickException(f"{error}; the platform must be up: `ordain up`") from error
