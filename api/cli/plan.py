"""`ordain plan`: what a change does to everything it reaches, without a cluster."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from api.cli.arguments import FOLDER, REF
from api.cli.refusals import readable
from reconciler.memory import without_collection

if TYPE_CHECKING:  # loaded when the command is called: other commands start without them
    from reconciler.planning.plan import ChangePlan

FORMATS = ("text", "json", "markdown")


@click.command()
@click.argument("directory", type=FOLDER, default=".", metavar="[DIR]")
@click.option("--base", type=REF, metavar="REF", help="Since the change left this commit.  [default: main, else HEAD]")
@click.option("--head", type=REF, metavar="REF", help="The change ends in this commit, not in the files of the folder.")
@click.option("--cluster", metavar="CLUSTER", help="Show only what is on this cluster.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
def plan(directory: Path, base: str | None, head: str | None, cluster: str | None, form: str) -> None:
    """Show what a change of the repository of intents in DIR does, before it is merged.

    DIR holds platform/, tenants/ and templates/, or is a bare git repository. Open changes are the branches change/*.
    Ends with 0 where nothing stands in the way, with 1 where there are problems, and with 2 where it cannot be read.
    """
    with without_collection(), readable():
        found = _plan(directory, base, head, cluster)
    _tell(found, form)
    if found.refused:
        raise SystemExit(1)


def _plan(directory: Path, base: str | None, head: str | None, cluster: str | None) -> ChangePlan:
    from api.composition.changes import local_change  # noqa: PLC0415 - as above
    from reconciler.planning.plan import plan_change  # noqa: PLC0415

    change = local_change(directory, base, head)
    if cluster is not None and not any(tree.cluster(cluster) for tree in (change.base, change.head)):
        raise click.UsageError(f"there is no cluster {cluster}, before or after the change")
    return plan_change(
        change.base,
        change.head,
        change.changed,
        now=datetime.now(UTC),
        others=change.others,
        problems=change.problems,
        cluster=cluster,
    )


def _tell(found: ChangePlan, form: str) -> None:
    match form:
        case "json":
            from reconciler.planning.plan import to_json  # noqa: PLC0415 - as above

            click.echo(to_json(found, indent=2))
        case "markdown":
            from reconciler.planning.plan.markdown import to_markdown  # noqa: PLC0415

            click.echo(to_markdown(found))
        case _:
            from api.cli.plan_text import PlanText  # noqa: PLC0415

            Console(highlight=False).print(PlanText(found), crop=False, end="")
