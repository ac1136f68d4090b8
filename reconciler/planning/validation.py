"""What stands in the way of a state, or of the change that leads to it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from intents.authority import Principal, forbidden
from intents.checks import check, not_checked
from intents.checks.catalog import allowed_images
from intents.identity import Identity, identify
from intents.kinds import Kind
from intents.packages import check_packages, package_path
from intents.problems import InvalidIntent, Problem, Severity
from intents.tree import AnyDocument
from reconciler.planning.capabilities import not_carried_out
from reconciler.planning.states import State


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
    """Return every problem, by path and line."""
    return in_order(_problems(question))


def left_open(question: Question) -> tuple[str, ...]:
    """Return, in words, what nobody can check without the platform's ledger. Only a change leaves something open."""
    if question.base is None:
        return ()
    return tuple(each.value for each in not_checked(question.base.tree, question.head.tree, question.changed))


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return problems by path and line, each once."""
    return tuple(sorted(set(problems), key=lambda each: (each.path, each.line, each.column, each.code, each.message)))


def _problems(question: Question) -> Iterator[Problem]:
    head = question.head
    yield from (problem for problem in head.problems if problem.path in question.looked_at)
    yield from _of_packages(question)
    yield from _of_references(question)
    if question.principal is not None:
        yield from _of_roles(question, question.principal)
    if question.base is not None:
        yield from _of_gaps(head, question.changed)


def _of_references(question: Question) -> Iterator[Problem]:
    """Yield what intents do to each other, but nothing that only follows from a file which is told of already.

    Where such a file was right before, the others are held against what it was.
    """
    before, head = question.before.tree, question.head.tree
    wrong = {problem.path for problem in question.head.problems} & question.head.blobs.keys()
    stand_ins = {path: known for path in wrong if (known := before.get(path))}
    absent = [who for path in wrong - stand_ins.keys() if (who := identify(path))]
    changed = question.changed - stand_ins.keys() if question.only_changed else None
    for problem in check(before, head.advance(stand_ins), changed):
        if not any(_follows(problem, who) for who in absent):
            yield problem


_MISSED = {
    "no-platform": (Kind.PLATFORM,),
    "unknown-cluster": (Kind.CLUSTER,),
    "unknown-gpu-type": (Kind.CLUSTER,),
    "quota-above-limit": (Kind.CLUSTER, Kind.TENANT),
    "unknown-tenant": (Kind.TENANT,),
    "unknown-project": (Kind.PROJECT,),
    "unknown-template": (Kind.TEMPLATE,),
    "unknown-model-version": (Kind.MODEL_VERSION,),
    "orphan-rollout": (Kind.MODEL_DEPLOYMENT,),
}
"""What may be missed, by the codes that say so."""


def _follows(problem: Problem, absent: Identity) -> bool:
    """Whether a problem may only be that another intent cannot be read."""
    place = f"tenants/{absent.tenant}/projects/{absent.project}/" if absent.project else ""
    return absent.kind in _MISSED.get(problem.code, ()) and (
        absent.kind is Kind.PROJECT or problem.path.startswith(place)
    )


def _of_packages(question: Question) -> Iterator[Problem]:
    """Yield the problems of packages; a package is looked at with its template, and with the list of images."""
    allowed, before = allowed_images(question.head.tree), allowed_images(question.before.tree)
    templates: list[AnyDocument] = []
    bodies: dict[str, bytes] = {}
    for template in question.head.tree.of_kind(Kind.TEMPLATE).values():
        path = package_path(template)
        if path and (allowed != before or not question.looked_at.isdisjoint({path, template.path})):
            templates.append(template)
            bodies |= {path: question.body(path)} if path in question.head.blobs else {}
    yield from check_packages(templates, bodies, allowed)


def _of_roles(question: Question, principal: Principal) -> Iterable[Problem]:
    changed = question.changed | question.beside
    removed = question.changed - question.head.blobs.keys()
    try:
        found = [forbidden(question.before.tree, principal, path, removed) for path in changed]
    except InvalidIntent as without_platform:
        return without_platform.problems
    return [problem for problem in found if problem]


def _of_gaps(head: State, changed: Collection[str]) -> Iterator[Problem]:
    """Yield what the change asks for and nothing would act on."""
    for path in changed:
        if document := head.tree.get(path):
            yield from not_carried_out(document, Severity.WARNING)
