"""The manifests of a state against the CustomResourceDefinitions of its clusters. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from intents.kinds import Kind
from intents.problems import Problem
from reconciler.planning.unit_intents import intents_of
from reconciler.planning.validation import Question, in_order
from renderers.crds import CrdSet
from renderers.rendering import render_unit, sources, units
from renderers.unit import Unit


def validate_manifests(question: Question, crds: CrdSet) -> tuple[Problem, ...]:
    """Return what the definitions have against the manifests of a state that has no problem itself."""
    return in_order(problem for unit in _units(question) for problem in _of_unit(question, unit, crds))


def _of_unit(question: Question, unit: Unit, crds: CrdSet) -> Iterator[Problem]:
    for manifest in render_unit(question.head.tree, unit).values():
        for complaint in crds.complaints(manifest):
            what = f"{manifest['kind']} {manifest['metadata']['name']} on {unit.cluster}"
            yield Problem("invalid-manifest", intents_of(unit)[0], 0, 0, f"{what}: {complaint}")


def _units(question: Question) -> Iterator[Unit]:
    """Yield the units of every cluster whose manifests follow from something that is looked at."""
    tree, looked_at = question.head.tree, question.looked_at
    for cluster in sorted(each.identity.name for each in tree.of_kind(Kind.CLUSTER).values()):
        yield from (unit for unit in units(tree, cluster) if not looked_at.isdisjoint(sources(tree, unit)))
