"""`ordain get`: intents as they are, one or all of a kind."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from enum import StrEnum

import click
from pydantic import BaseModel

from api.cli.given import stamped
from api.cli.listings import listing, listing_of_one, project_of
from api.cli.remote import Remote, asks_platform
from api.cli.session import NO_TENANT, Session, kind_of, name_of, reference_of
from api.cli.tables import columns, terminal_width
from api.client import Ambiguous, Client, Intent, NotFound, Reference
from api.client.client import IN_TENANT
from api.problem_text import shown
from intents.kind_names import CALLED
from intents.kinds.base import Kind

TABLES = (None, "wide")
EVERY_KIND = "all"


class Output(StrEnum):
    """Forms of what is printed."""

    YAML = "yaml"
    JSON = "json"
    WIDE = "wide"
    NAME = "name"


def _kinds() -> str:
    """Return what the kinds are called, as the end of the help."""
    rows = [(f"  {names[0]}", ", ".join(names[1:])) for names in CALLED.values()]
    return "\n".join(["\b", "Kinds, and what else they go by:", *columns(rows, 0)])


@click.command(epilog=_kinds())
@click.argument("what", nargs=-1, required=True, metavar="KIND [NAME]")
@click.option(
    "-o", "--output", type=click.Choice([each.value for each in Output]), help="Documents, or another form of the list."
)
@asks_platform
def get(remote: Remote, what: Sequence[str], output: str | None) -> None:
    """Show one intent, or all of a kind in the project, or `all` of every kind.

    KIND goes by plural and short names, too: `ordain get deploy`, `ordain get runs`, `ordain get model/fraud@2`.
    `-o yaml` begins with a line that says which version it is: edited and applied again, it overwrites no other.
    """
    form = Output(output) if output else None
    if len(what) == 1 and "/" not in what[0]:
        kind = None if what[0].lower() == EVERY_KIND else kind_of(what[0])
        with remote.session(_scope(kind, form)) as session:
            _all(session, kind, form)
        return
    reference = reference_of(what, "KIND or KIND/NAME")
    with remote.session(_scope(reference.kind, form)) as session:
        _one(session, reference, form)


def _scope(kind: Kind | None, form: Output | None) -> Kind | None:
    """Return the kind by whose place the host is chosen: templates are listed as the catalog of the tenant."""
    return None if kind is Kind.TEMPLATE and form in TABLES else kind


def found(session: Session, reference: Reference) -> Intent:
    """Return an intent. Raises NotFound."""
    path = session.client.find_path(reference)
    if path is None:
        raise NotFound(f"there is no {reference}")
    return session.client.intents.get(path)


def _one(session: Session, reference: Reference, form: Output | None) -> None:
    if form in TABLES:
        _table(listing_of_one(session.client, reference, wide=form is Output.WIDE), form)
        return
    intent = found(session, reference)
    match form:
        case Output.YAML:
            _raw(stamped(intent))
        case Output.JSON:
            click.echo(json.dumps(_plain(intent), indent=2, ensure_ascii=False))
        case _:
            click.echo(Reference.of(intent.identity))


def _all(session: Session, kind: Kind | None, form: Output | None) -> None:
    client = session.client
    if kind in IN_TENANT and not client.tenant:
        raise Ambiguous(NO_TENANT)
    if form in TABLES:
        rows = listing(client, kind, wide=form is Output.WIDE)
        if len(rows) > 1:
            _table(rows, form)
        else:
            click.echo(f"no {CALLED[kind][0] if kind else 'intent'} in {_place(client, kind)}", err=True)
        return
    items = client.intents.list(kind, project=project_of(client, kind))
    match form:
        case Output.YAML:
            for number, item in enumerate(items):
                _raw((b"---\n" if number else b"") + stamped(client.intents.get(item.path)))
        case Output.JSON:
            click.echo(json.dumps({"items": [_view(item) for item in items]}, indent=2, ensure_ascii=False))
        case _:
            for item in items:
                click.echo(name_of(item.path))


def _place(client: Client, kind: Kind | None) -> str:
    project = project_of(client, kind)
    return f"{client.tenant}/{project}" if project else client.tenant or "the platform"


def _table(rows: Iterable[Sequence[str]], form: Output | None) -> None:
    """Print a table; a wide one is as wide as it is."""
    width = 0 if form is Output.WIDE else terminal_width()
    for line in columns([[shown(cell) for cell in row] for row in rows], width):
        click.echo(line)


def _view(item: BaseModel) -> dict[str, object]:
    return item.model_dump(mode="json")


def _plain(intent: Intent) -> dict[str, object]:
    who = asdict(intent.identity)
    return {"path": intent.path, **who, "blob": intent.blob, "commit": intent.commit, "document": intent.document}


def _raw(content: bytes) -> None:
    """Print a document byte by byte, its end of line included."""
    sys.stdout.buffer.write(content if content.endswith(b"\n") else content + b"\n")
