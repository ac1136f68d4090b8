"""`ordain history`: who changed an intent, when, and what for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from api.cli.remote import Remote, asks_platform
from api.cli.session import SHORT, reference_of
from api.cli.tables import age, columns, terminal_width
from api.cli.versions import path_with_history
from api.client.views import Version
from api.problem_text import shown


@click.command()
@click.argument("what", nargs=-1, required=True, metavar="KIND/NAME")
@click.option("-o", "--output", type=click.Choice(["json"]), help="Print JSON, with whole commits and times.")
@asks_platform
def history(remote: Remote, what: Sequence[str], output: str | None) -> None:
    """List the commits that changed an intent, newest first; also of one that is gone."""
    reference = reference_of(what)
    with remote.session(reference.kind) as session:
        versions = list(session.client.intents.history(path_with_history(session, reference)))
    if output:
        click.echo(json.dumps({"items": [each.model_dump(mode="json") for each in versions]}, indent=2))
        return
    for line in columns([("COMMIT", "AGE", "BY", "SUBJECT"), *(_row(each) for each in versions)], terminal_width()):
        click.echo(line)


def _row(version: Version) -> tuple[str, ...]:
    return version.commit[:SHORT], age(version.at, datetime.now(UTC)), shown(version.by), shown(version.subject)
