"""Changes that wait for other people's word: what they are, what becomes of them, and what they still lack."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType
from uuid import NAMESPACE_OID, UUID, uuid5

from intents.authority import Principal, approvals_needed, approvers, forbidden, may_not_approve, person
from intents.kinds.members import Subject
from intents.kinds.run import Desired
from intents.kinds.training_job import TrainingJobSpec
from intents.problems import Problem
from intents.tree import AnyDocument, Tree
from reconciler.planning.events import Fact
from reconciler.planning.naming import ALPHABET, short_name
from reconciler.planning.plan.digest import PlanDigest
from reconciler.planning.plan.intents import changed_paths
from reconciler.planning.plan.radius import change_limits

ChangeId = NewType("ChangeId", str)
ID_PATTERN = f"^[{ALPHABET}]{{10}}$"


class ChangeState(StrEnum):
    """Where a change is: it ends once, and for good."""

    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


class Deed(StrEnum):
    """What a request does to a change that is there."""

    UPDATE = "update"
    MERGE = "merge"
    CLOSE = "close"


class ChangeVerb(StrEnum):
    """What happened to a change, as its events tell."""

    OPENED = "opened"
    UPDATED = "updated"
    APPROVED = "approved"
    WITHDRAWN = "withdrawn"
    """An approval was taken back."""
    MERGED = "merged"
    CLOSED = "closed"


@dataclass(frozen=True)
class OfChange:
    """The change that a request is about."""

    id: ChangeId
    deed: Deed
    head: str = ""
    """The commit of the change that the person saw; empty where they did not say."""


@dataclass(frozen=True)
class Change:
    """A request that became a branch `change/<id>` beside main."""

    id: ChangeId
    tenant: str
    project: str
    author: Principal
    email: str
    subject: str
    base: str
    """The commit of main that its writes were last decided on: they expect what stands there."""
    head: str
    """The newest commit of its branch."""
    paths: tuple[str, ...]
    opened_at: datetime
    updated_at: datetime
    merge_when_approved: bool = False
    state: ChangeState = ChangeState.OPEN
    commit: str = ""
    """The commit of main that it was merged by."""
    ended_by: str = ""


@dataclass(frozen=True)
class Approval:
    """One person's yes to the plan that they read."""

    change: ChangeId
    approver: Principal
    digest: PlanDigest
    head: str
    """The commit of the change that the plan was of."""
    at: datetime


@dataclass(frozen=True)
class Counted:
    """An approval, and why it does not count; empty where it does."""

    approval: Approval
    fallen: str = ""


@dataclass(frozen=True)
class Standing:
    """How far a change is from being approved."""

    required: int
    approvals: tuple[Counted, ...]
    who: tuple[Subject, ...]
    """Who may approve, as the tree names them."""

    @property
    def missing(self) -> int:
        """How many more people have to say yes."""
        people = {person(each.approval.approver.user) for each in self.approvals if not each.fallen}
        return max(0, self.required - len(people))


def change_id(request: UUID) -> ChangeId:
    """Return the id of the change that a request opens: fixed before anything is written."""
    return ChangeId(short_name(request))


NEXT: Mapping[tuple[ChangeState, Deed], ChangeState] = {
    (ChangeState.OPEN, Deed.UPDATE): ChangeState.OPEN,
    (ChangeState.OPEN, Deed.MERGE): ChangeState.MERGED,
    (ChangeState.OPEN, Deed.CLOSE): ChangeState.CLOSED,
}
"""What becomes of a change; nothing else ever does."""


def not_possible(change: Change, of: OfChange) -> Problem | None:
    """Return why nothing of the kind can be done to the change as it is, or None where it can."""
    if (change.state, of.deed) not in NEXT:
        where = f" as commit {change.commit}" if change.commit else ""
        by = f" by {change.ended_by}" if change.ended_by else ""
        message = f"change {change.id} is {change.state}{by}{where}"
        return Problem("change-not-open", "", 0, 0, message, "make a new request")
    if of.head not in {"", change.head}:
        message = f"change {change.id} was updated: its newest commit is {change.head}, not {of.head}"
        return Problem("change-updated", "", 0, 0, message, "look at what it does now")
    return None


def change_fact(change: Change, verb: ChangeVerb, by: str, **more: str) -> Fact:
    """Return what happened to a change.

    Told again of the same commits, and of an approval by the same person, it is the same fact.
    """
    data = {"by": by, "subject": change.subject, "head": change.head, **more}
    told_once = uuid5(NAMESPACE_OID, "/".join(("ordain/change", change.id, verb, *sorted(data.values()))))
    return Fact(change.tenant, change.project, "change", verb, change.id, change.commit, data, told_once)


def approvals_required(before: Tree, after: Tree, paths: Collection[str], principal: Principal) -> int:
    """Return how many others must say yes before `principal` may lead main from one tree to the other.

    Most writes need nobody: the platform's own, and what no project asks approvals for. Cancelling is direct whatever
    a project asks. What is more than the platform's change limits allow needs one.
    """
    if principal.is_worker:
        return 0
    differing = changed_paths(before, after, paths)
    asked = approvals_needed(before, (each for each in differing if not _cancels(before.get(each), after.get(each))))
    return max(asked, int(any(each.exceeded for each in change_limits(before, after, differing))))


def _cancels(before: AnyDocument | None, after: AnyDocument | None) -> bool:
    """Whether nothing differs but that a training job is to be cancelled."""
    if before is None or after is None:
        return False
    old, new = before.spec, after.spec
    if not isinstance(old, TrainingJobSpec) or not isinstance(new, TrainingJobSpec):
        return False
    cancelled = old.model_copy(update={"desired": Desired.CANCELLED})
    same_notes = (before.labels, before.annotations) == (after.labels, after.annotations)
    return same_notes and new == cancelled


def standing(tree: Tree, change: Change, required: int, digest: PlanDigest, given: Iterable[Approval]) -> Standing:
    """Return what the change lacks at `tree`, the newest main, where its plan has this digest.

    An approval counts for the plan that it was given for, of someone who may give it now.
    """
    counted = tuple(Counted(each, _fallen(tree, change, digest, each)) for each in given)
    return Standing(required, counted, tuple(_others(approvers(tree, change.paths), change.author)))


def _fallen(tree: Tree, change: Change, digest: PlanDigest, approval: Approval) -> str:
    if approval.digest != digest:
        return "the change was updated" if approval.head != change.head else "main moved and the plan is another now"
    problem = may_not_approve(tree, approval.approver, change.author.user, change.paths)
    return problem.message if problem else ""


def _others(subjects: Iterable[Subject], author: Principal) -> Iterator[Subject]:
    return (each for each in subjects if each.user is None or person(each.user) != person(author.user))


def not_approvable(
    tree: Tree, change: Change, principal: Principal, read: PlanDigest, digest: PlanDigest
) -> Problem | None:
    """Return why `principal` cannot approve now the plan that they read, or None where they can."""
    if change.state is not ChangeState.OPEN:
        return not_possible(change, OfChange(change.id, Deed.MERGE))
    if problem := may_not_approve(tree, principal, change.author.user, change.paths):
        return problem
    if read != digest:
        message = f"the plan of change {change.id} is {digest} now; what was approved is {read}"
        return Problem("plan-changed", "", 0, 0, message, "read the plan as it is now, and approve that")
    return None


def may_not_end(tree: Tree, principal: Principal, change: Change) -> Problem | None:
    """Return why `principal` may neither merge nor close the change, or None where they may.

    Its author may, and whoever may approve it or could write the same; the platform itself tells what others did.
    """
    if principal.is_worker or principal.user == change.author.user:
        return None
    if may_not_approve(tree, principal, "", change.paths) is None:
        return None
    removed = set(change.paths)
    if all(forbidden(tree, principal, path, removed) is None for path in change.paths):
        return None
    message = (
        f"{principal.user} may not end this change; {change.author.user}, approvers and those who may write it may"
    )
    return Problem("forbidden", next(iter(change.paths), ""), 0, 0, message)
