"""What stands in the way of a state, or of the change that leads to it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from intents.authority import Principal, forbidden
from intents.checks import check
from intents.documents import of_spec
from intents.kinds import Kind, TemplateSpec
from intents.packages import check_package
from intents.problems import InvalidIntent, Problem, Severity
from reconciler.planning.capabilities import not_carried_out
from reconciler.planning.states import State
from reconciler.planning.unit_intents import intents_of
from renderers.crds import CrdSet
from renderers.rendering import render_unit, sources, units
from renderers.unit import Unit


@dataclass(frozen=True)
class Question:
    """What is to be validated: a state, and where it is known, the state before it.

    Without `base` the whole of `head` is looked at as if all of it were new.
    """

    head: State
    body: Callable[[str], bytes]
    """The bytes of a file of `head`."""
    base: State | None = None
    only_changed: bool = False
    """Tell only what the change itself does wrong; `base` is taken to be right."""
    principal: Principal | None = None
    """Who asks for the change, where that is known."""
    beside: frozenset[str] = frozenset()
    """Paths of files beside the intents that the change touches; they are the platform admins' too."""
    crds: CrdSet | None = None
    """What the manifests of valid intents are held against."""

    @cached_property
    def before(self) -> State:
        """The state before, or the empty one."""
        return self.base or State()

    @cached_property
    def changed(self) -> frozenset[str]:
        """Paths of all files that differ."""
        return self.before.differing(self.head)

    @cached_property
    def looked_at(self) -> frozenset[str]:
        """Paths whose files must be right."""
        return self.changed if self.only_changed else frozenset(self.head.blobs)


def validate(question: Question) -> tuple[Problem, ...]:
    """Return every problem, by path and line. Manifests are looked at only where there is no other error."""
    found = set(_problems(question))
    if question.crds is not None and not any(each.severity is Severity.ERROR for each in found):
        found |= set(_of_manifests(question, question.crds))
    return tuple(sorted(found, key=lambda each: (each.path, each.line, each.column, each.code, each.message)))


def _problems(question: Question) -> Iterator[Problem]:
    before, head, changed = question.before, question.head, question.changed
    yield from (problem for problem in head.problems if problem.path in question.looked_at)
    yield from _of_packages(question)
    yield from check(before.tree, head.tree, changed if question.only_changed else None)
    if question.principal is not None:
        yield from _of_roles(before, head, changed | question.beside, question.principal)
    if question.base is not None:
        yield from _of_gaps(head, changed)


def _of_packages(question: Question) -> Iterator[Problem]:
    """Yield the problems of packages that are looked at; a package and its template are looked at together."""
    folders = {path.rpartition("/")[0] for path in question.looked_at if path.startswith("templates/")}
    for each in question.head.tree.of_kind(Kind.TEMPLATE).values():
        template, folder = of_spec(each, TemplateSpec), each.path.rpartition("/")[0]
        if template is None or template.spec.package is None or folder not in folders:
            continue
        file = template.spec.package.file
        if f"{folder}/{file}" in question.head.blobs:
            yield from check_package(template, question.body(f"{folder}/{file}"))
        else:
            message = f"{file} is not beside the template"
            yield template.problem("invalid-package", message, "spec", "package", "file")


def _of_roles(before: State, head: State, changed: Collection[str], principal: Principal) -> Iterable[Problem]:
    removed = {path for path in changed if path not in head.blobs}
    try:
        found = [forbidden(before.tree, principal, path, removed) for path in changed]
    except InvalidIntent as without_platform:
        return without_platform.problems
    return [problem for problem in found if problem]


def _of_gaps(head: State, changed: Collection[str]) -> Iterator[Problem]:
    """Yield what the change asks for and nothing would act on."""
    for path in changed:
        if document := head.tree.get(path):
            yield from not_carried_out(document, Severity.WARNING)


def _of_manifests(question: Question, crds: CrdSet) -> Iterator[Problem]:
    for unit in _units(question):
        for manifest in render_unit(question.head.tree, unit).values():
            for complaint in crds.complaints(manifest):
                what = f"{manifest['kind']} {manifest['metadata']['name']} on {unit.cluster}"
                yield Problem("invalid-manifest", intents_of(unit)[0], 0, 0, f"{what}: {complaint}")


def _units(question: Question) -> Iterator[Unit]:
    """Yield the units of every cluster whose manifests follow from something that is looked at."""
    tree, looked_at = question.head.tree, question.looked_at
    for cluster in sorted(each.identity.name for each in tree.of_kind(Kind.CLUSTER).values()):
        yield from (unit for unit in units(tree, cluster) if not looked_at.isdisjoint(sources(tree, unit)))
