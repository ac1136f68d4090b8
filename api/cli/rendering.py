"""What `ordain render` does: from a state to the bytes of its manifests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import click

from api.cli.refusals import Refused
from api.cli.rendered_folder import replace
from api.composition import snapshots
from intents.hints import nearest
from intents.kinds import Kind
from intents.problems import Problem, Severity
from intents.tree import Tree
from reconciler.planning.states import State
from reconciler.planning.unit_intents import intents_of
from renderers.canonical import to_yaml
from renderers.rendering import render_unit, units
from renderers.unit import Unit

Rendered = dict[str, dict[str, bytes]]
"""Manifests by cluster, and by path on its rendered branch; both in order."""


def state_of(directory: Path, ref: str | None) -> State:
    """Read what is to be rendered. Raises Stalled for what cannot be read, Refused for files that are no intents."""
    _, state = snapshots.sight(directory, ref).states()
    _refuse(state.problems)
    return state


def rendered(state: State, cluster: str | None = None, intent: str | None = None) -> Rendered:
    """Render everything, or what is asked for. Raises Refused for intents that do not fit together."""
    found: Rendered = {name: {} for name in _clusters(state.tree, cluster)}
    try:
        for unit in _units(state.tree, found, intent):
            manifests = render_unit(state.tree, unit).items()
            found[unit.cluster] |= {path: to_yaml(manifest) for path, manifest in manifests}
    except Exception:
        # Renderers take a tree without problems. Whether it has any is looked at only now: it takes half the time.
        from intents.checks import check  # noqa: PLC0415

        _refuse(check(Tree.empty(), state.tree))
        raise
    return {name: dict(sorted(manifests.items())) for name, manifests in found.items()}


def to_stream(rendered: Rendered, stream: BinaryIO) -> None:
    """Write all manifests as one stream of YAML documents, each below its path."""
    for cluster, manifests in rendered.items():
        stream.writelines(f"---\n# {cluster}/{path}\n".encode() + body for path, body in manifests.items())


def to_folder(rendered: Rendered, folder: Path) -> None:
    """Make a folder a cluster hold exactly its manifests, and say how many. Raises Unreadable."""
    for cluster, manifests in rendered.items():
        replace(folder / cluster, manifests)
        click.echo(f"{folder / cluster}: {len(manifests):,} manifests")


def _clusters(tree: Tree, wanted: str | None) -> list[str]:
    names = sorted(each.identity.name for each in tree.of_kind(Kind.CLUSTER).values())
    if wanted is not None and wanted not in names:
        raise click.UsageError(f"There is no cluster {wanted}; {nearest(wanted, names, 'clusters')}")
    return names if wanted is None else [wanted]


def _units(tree: Tree, clusters: Iterable[str], intent: str | None) -> Iterator[Unit]:
    every = (unit for cluster in clusters for unit in units(tree, cluster))
    if intent is None:
        yield from every
        return
    mine = [unit for unit in every if intent in intents_of(unit)]
    if not mine:
        document = tree.get(intent)
        what = (
            f"a {document.identity.kind} stands for no manifests of its own here" if document else "no intent is there"
        )
        raise click.UsageError(f"{intent}: {what}")
    yield from mine


def _refuse(problems: Iterable[Problem]) -> None:
    errors = [each for each in problems if each.severity is Severity.ERROR]
    if errors:
        more = f" and {len(errors) - 1} more" if errors[1:] else ""
        raise Refused(f"{errors[0]}{more}; `ordain validate` tells all of it")
