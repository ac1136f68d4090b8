"""Changes as pull requests on the forge that is home of main: what to do where it shows one otherwise than it is.

The forge is where people look and say yes; what is decided is decided here. A change is shown, not kept, there: all of
this follows from the ledger, git and what the forge tells, so that nothing has to be remembered across a crash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import NAMESPACE_OID, uuid5

from intents.authority import Principal
from intents.kinds.members import WORKER_PREFIX
from intents.tree import Tree
from reconciler.planning.changes import (
    Approval,
    Change,
    ChangeId,
    ChangeState,
    Deed,
    OfChange,
    may_not_end,
    not_approvable,
)
from reconciler.planning.forge import CHANGE_BRANCHES, Check, PullDetails, PullRequest, PullState, Review, Verdict
from reconciler.planning.plan.digest import PlanDigest
from reconciler.planning.proposing import KnownChange, Preview, stands_on_main
from reconciler.planning.pull_text import APPROVALS_CHECK, PLAN_CHECK, Showing, moved_by_others, shows
from reconciler.planning.writing import RequestId, WriteRequest

PRINCIPAL = Principal(f"{WORKER_PREFIX}forge")
People = Mapping[str, str]
"""Users, by their accounts on the forge in small letters."""


@dataclass(frozen=True)
class There:
    """A change as the forge has it."""

    commit: str | None
    """Where its branch is; None where there is none."""
    is_known: bool = True
    """Whether that commit is here too: one that is not came from others."""
    is_older: bool = False
    """Whether that commit is one that the change had before."""
    pull: PullRequest | None = None
    """The open pull request, or else the newest that ended."""


@dataclass(frozen=True)
class MoveBranch:
    """Move a branch on the forge; None is no such branch."""

    branch: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Show:
    """Bring a pull request and the checks of its head up to date."""

    branch: str
    head: str
    showing: Showing


@dataclass(frozen=True)
class SetCheck:
    """Set a check of a commit."""

    commit: str
    check: Check


@dataclass(frozen=True)
class Count:
    """Keep a review as a person's approval."""

    approval: Approval


@dataclass(frozen=True)
class Withdraw:
    """Forget the approval of a person who said otherwise on the forge."""

    change: ChangeId
    approver: str


@dataclass(frozen=True)
class Ask:
    """Put a request to the writer; asked again, it is the same one."""

    request: WriteRequest


@dataclass(frozen=True)
class MarkMerged:
    """Let the forge know that main has the head of a pull request."""

    number: int
    head: str


@dataclass(frozen=True)
class ClosePull:
    """Close a pull request."""

    number: int
    reason: str


@dataclass(frozen=True)
class Say:
    """Comment on a pull request."""

    number: int
    text: str


Action = MoveBranch | Show | SetCheck | Count | Withdraw | Ask | MarkMerged | ClosePull | Say


def branch_of(change: ChangeId) -> str:
    """Return the branch of a change."""
    return f"{CHANGE_BRANCHES}{change}"


def words(
    tree: Tree, known: KnownChange, digest: PlanDigest, details: PullDetails, people: People
) -> Iterator[Count | Withdraw]:
    """Yield what reviews on the forge say that the ledger does not know.

    A review counts for the plan that the pull request showed when it was given: of the head that it names, and no
    older than the check that tells that plan's digest. A later word of the same person, wherever they said it, holds.
    """
    given = {each.approver.user: each for each in known.approvals}
    since = _shown_since(details, digest)
    for user, review in sorted(_by_user(details.reviews, people).items()):
        before = given.get(user)
        if not review.approves:
            if before is not None and before.at <= review.at:
                yield Withdraw(known.change.id, user)
            continue
        approval = Approval(known.change.id, Principal(user), digest, review.head, review.at)
        is_later = before is None or before.at < review.at
        fits = review.head == known.change.head and since is not None and since <= review.at
        if is_later and fits and not_approvable(tree, known.change, approval.approver, digest, digest) is None:
            yield Count(approval)


def _by_user(reviews: Iterable[Review], people: People) -> Mapping[str, Review]:
    """Return the last word of each user: two accounts may be one person."""
    found: dict[str, Review] = {}
    for each in sorted(reviews, key=lambda review: review.at):
        if user := people.get(each.by):
            found[user] = each
    return found


def _shown_since(details: PullDetails, digest: PlanDigest) -> datetime | None:
    """Return since when the pull request shows the plan of this digest; None where it shows another."""
    check = next((each for each in details.checks if each.name == PLAN_CHECK), None)
    return check.at if check is not None and shows(check, digest) else None


def of_open(known: KnownChange, there: There, shown: Preview, showing: Showing) -> Iterator[Action]:
    """Yield what to do for a change that is open, here and on the forge: or to open it there."""
    change, branch = known.change, branch_of(known.change.id)
    if there.commit not in {None, change.head}:
        if not there.is_known:
            yield SetCheck(there.commit or "", moved_by_others(change))
        if not there.is_older:
            return  # others moved it; or it is being merged just now, and the ledger is yet to be told
    if there.commit != change.head:
        yield MoveBranch(branch, there.commit, change.head)
    yield Show(branch, change.head, showing)
    if change.merge_when_approved and shown.mergeable:
        approvers = [each.approval.approver for each in shown.standing.approvals if not each.fallen]
        if approvers:
            yield Ask(_request(change, Deed.MERGE, approvers[-1], shown.digest))


def of_ended_there(tree: Tree, known: KnownChange, details: PullDetails, people: People) -> tuple[Action, ...]:
    """Return what to do for an open change whose pull request ended on the forge; nothing: open another.

    Who may end the change closes it so. Where a person pressed the merge button, main has it past all checks: then the
    change ends, and is told to lack what it lacks.
    """
    if details.pull.state is PullState.MERGED:
        return _merged_by_hand(tree, known, details, people)
    user = people.get(details.ended_by)
    if details.ended_by == details.pull.author:
        return ()
    if user is None:
        why = f"no user is named for the account `{details.ended_by}` in platform.yaml"
    elif (problem := may_not_end(tree, Principal(user), known.change)) is not None:
        why = problem.message
    else:
        return (Ask(_request(known.change, Deed.CLOSE, Principal(user), str(details.pull.number))),)
    return (Say(details.pull.number, f"The change stays open, in a pull request of its own: {why}."),)


def _merged_by_hand(tree: Tree, known: KnownChange, details: PullDetails, people: People) -> tuple[Action, ...]:
    """End a change that main has, as merged where it stands there just so."""
    who = people.get(details.ended_by) or f"{details.ended_by or 'somebody'} on the forge"
    deed = Deed.MERGE if stands_on_main(tree, known) else Deed.CLOSE
    asked = _request(known.change, deed, PRINCIPAL, details.commit)
    ended = Ask(replace(asked, on_behalf_of=who, cause=f"merged on the forge as {details.commit}"))
    approvals = next((each for each in details.checks if each.name == APPROVALS_CHECK), None)
    if approvals is not None and approvals.verdict is Verdict.SUCCESS:
        return (ended,)
    lacks = f"merged by {who} without the approvals it needs: {approvals.summary if approvals else 'none were known'}"
    return SetCheck(details.commit, Check(APPROVALS_CHECK, Verdict.FAILURE, lacks)), ended


def of_ended(change: Change, there: There) -> Iterator[Action]:
    """Yield what to do for a change that ended here: its pull request ends the same way, then its branch goes."""
    pull = there.pull
    if pull is not None and pull.state is PullState.OPEN:
        if change.state is ChangeState.CLOSED:
            yield ClosePull(pull.number, f"{change.ended_by} closed this change.")
        elif pull.head == change.commit:
            yield MarkMerged(pull.number, change.commit)
        else:
            yield ClosePull(pull.number, f"This change is on main as {change.commit}.")
    elif there.commit is not None and (there.commit in {change.head, change.commit} or there.is_older):
        yield MoveBranch(branch_of(change.id), there.commit, None)


def _request(change: Change, deed: Deed, principal: Principal, about: str) -> WriteRequest:
    """Return the request that ends a change; of the same change, deed and matter it is the same request."""
    told_once = uuid5(NAMESPACE_OID, f"ordain/forge/{change.id}/{change.head}/{deed}/{about}")
    verb = "Close" if deed is Deed.CLOSE else "Merge"
    return WriteRequest(
        id=RequestId(told_once),
        tenant=change.tenant,
        project=change.project,
        subject=f"{verb} change {change.id}",
        principal=principal,
        writes=(),
        of_change=OfChange(change.id, deed, change.head),
    )
