"""What becomes of a request where people approve each other's changes: a commit on main, or a change beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

from intents.checks import Facts
from intents.identity import Identity, identify, path_of
from intents.kinds import Kind
from intents.names import PLATFORM_TENANT
from intents.problems import Problem
from intents.tree import Tree
from intents.writing import blob_id
from reconciler.planning.changes import (
    Approval,
    Change,
    ChangeId,
    Deed,
    Standing,
    approvals_required,
    change_id,
    may_not_end,
    not_possible,
    standing,
)
from reconciler.planning.facts import LedgerQuestions
from reconciler.planning.plan import ChangePlan, OpenChange, plan_change, problems_of
from reconciler.planning.plan.digest import PlanDigest, plan_digest
from reconciler.planning.plan.draft import draft
from reconciler.planning.plan.visibility import folder_of, plan_for_tenant
from reconciler.planning.writing import (
    ABSENT,
    ANY,
    Accepted,
    Closed,
    Decision,
    Direct,
    Merging,
    Proposed,
    Refused,
    RequestId,
    Write,
    WriteAction,
    WriteRequest,
    decide_request,
    questions_of,
    refusing,
)

MOST_OPEN = 200
"""Open changes of a tenant: each is a branch that every plan beside it reads, 1 ms or so."""
MOST_PATHS = 500
"""Paths of a change, as many as one request may write."""
SOME_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""For a plan of which only the digest is wanted, and that has no time in it."""

Files = Mapping[str, bytes | None]


@dataclass(frozen=True)
class KnownChange:
    """A change with what git and the ledger hold of it."""

    change: Change
    files: Files
    """What its branch has at each of its paths; None where it has nothing."""
    before: Files
    """What stood there at its base."""
    approvals: tuple[Approval, ...] = ()

    def expects(self, path: str) -> str:
        """Return what stood at a path at the change's base, as a write expects it; beside intents, anything."""
        if path not in self.before or identify(path) is None:
            return ANY
        content = self.before[path]
        return ABSENT if content is None else blob_id(content)

    @property
    def blobs(self) -> Mapping[str, str | None]:
        """The blob ids of its files."""
        return {path: None if content is None else blob_id(content) for path, content in self.files.items()}


@dataclass(frozen=True)
class Known:
    """What requests about changes are decided on."""

    changes: Mapping[ChangeId, KnownChange] = field(default_factory=dict)

    def of(self, request: WriteRequest) -> KnownChange | None:
        """Return the change that a request is about, where it is the same tenant's."""
        found = self.changes.get(request.of_change.id) if request.of_change else None
        return found if found and found.change.tenant == request.tenant else None


def decide(tree: Tree, request: WriteRequest, known: Known, facts: Facts | None = None) -> tuple[Tree, Decision]:
    """Return main's tree after the request and what becomes of it; arguments as for `decide_request`.

    Only a request that is accepted moves main. Total: what is unknown, ended or not allowed is refused and says so.
    """
    of = request.of_change
    if of is None:
        return _commit_or_open(tree, request, facts)
    found = known.of(request)
    if found is None:
        return tree, Refused(request, (Problem("change-not-open", "", 0, 0, f"there is no change {of.id}"),))
    if problem := not_possible(found.change, of):
        return tree, Refused(request, (problem,))
    match of.deed:
        case Deed.UPDATE:
            return tree, _update(tree, request, found, facts)
        case Deed.MERGE:
            return _merge(tree, request, found, facts)
        case Deed.CLOSE:
            return tree, _close(tree, request, found)


def opening(decisions: Iterable[Decision]) -> frozenset[str]:
    """Return the tenants in which requests open changes."""
    return frozenset(each.request.tenant for each in decisions if isinstance(each, Proposed) and each.before is None)


def bounded(decisions: Iterable[Decision], open_counts: Mapping[str, int]) -> Iterator[Decision]:
    """Yield the decisions, but refuse to open a change where a tenant has as many open as it may have."""
    counts = Counter(open_counts)
    for decision in decisions:
        tenant = decision.request.tenant
        if not opening([decision]):
            yield decision
        elif counts[tenant] < MOST_OPEN:
            counts[tenant] += 1
            yield decision
        else:
            message = f"{tenant} has {MOST_OPEN} open changes, and one more would need approval"
            problem = Problem("too-many-changes", "", 0, 0, message, "merge or close some")
            yield Refused(decision.request, (problem,))


def in_one_turn(requests: Sequence[WriteRequest]) -> Sequence[WriteRequest]:
    """Return the requests that are decided together: what is about a change is decided alone, on what it then is."""
    for number, request in enumerate(requests):
        if request.of_change is not None:
            return requests[: number or 1]
    return requests


def with_net_writes(tree: Tree, request: WriteRequest, known: Known) -> WriteRequest:
    """Return the request with all that it would lead main to, as far as a change is part of it."""
    found = known.of(request)
    if found is None or request.of_change is None or request.of_change.deed is Deed.CLOSE:
        return request
    updates = request.writes if request.of_change.deed is Deed.UPDATE else ()
    return replace(request, writes=net_writes(tree, found, updates))


def net_writes(tree: Tree, known: KnownChange, updates: Sequence[Write] = ()) -> tuple[Write, ...]:
    """Return what a change, with `updates` to it, does to main: each path expects what its author has seen there.

    A path that an update leaves alone expects what stood at the change's base. So does one whose update was made on
    the change's own version; other updates say themselves what they expect on main.
    """
    updated = {write.path for write in updates}
    kept = [_kept(known, path) for path in known.change.paths if path not in updated and not _is_rollout(path)]
    writes = _with_rollouts(tree, (*kept, *(_onto_main(known, write) for write in updates)))
    return tuple(write for write in writes if not _is_nothing(tree, write))


def stands_on_main(tree: Tree, known: KnownChange) -> bool:
    """Whether main has every intent of a change as the change would have it."""
    intents = {path: tree.get(path) for path in known.change.paths if identify(path)}
    return all(known.blobs[path] == (document.blob if document else None) for path, document in intents.items())


def _is_nothing(tree: Tree, write: Write) -> bool:
    """Whether a write only keeps away what is not there: an update took the path out of the change again."""
    absent = write.path not in tree and identify(write.path) is not None
    return write.action is WriteAction.REMOVE and absent and write.expects in {ABSENT, ANY}


def _kept(known: KnownChange, path: str) -> Write:
    content = known.files.get(path)
    action = WriteAction.REMOVE if content is None else WriteAction.PUT
    return Write(path, action, content or b"", known.expects(path))


def _onto_main(known: KnownChange, write: Write) -> Write:
    if write.path in known.files and write.expects == (known.blobs[write.path] or ABSENT):
        return replace(write, expects=known.expects(write.path))
    return write


def _with_rollouts(tree: Tree, writes: Sequence[Write]) -> tuple[Write, ...]:
    """Let each deployment that is removed take its rollout along, wherever that stands by now."""
    gone = [who for each in writes if each.action is WriteAction.REMOVE and (who := identify(each.path))]
    rollouts = {
        path_of(Identity(Kind.ROLLOUT, who.name, who.tenant, who.project))
        for who in gone
        if who.kind is Kind.MODEL_DEPLOYMENT
    }
    others = [each for each in writes if each.path not in rollouts]
    return (*others, *(Write(path, WriteAction.REMOVE) for path in sorted(rollouts) if path in tree))


def _is_rollout(path: str) -> bool:
    identity = identify(path)
    return identity is not None and identity.kind is Kind.ROLLOUT


def _commit_or_open(
    tree: Tree, request: WriteRequest, facts: Facts | None
) -> tuple[Tree, Accepted | Proposed | Refused]:
    after, decision = decide_request(tree, request, facts)
    if isinstance(decision, Refused) and _approver_may_lift(request, decision):
        after, decision = decide_request(tree, request, _approved(facts))
    if isinstance(decision, Refused):
        return tree, decision
    required = approvals_required(tree, after, decision.files, request.principal)
    if not required:
        return after, decision
    return tree, Proposed(request, change_id(request.id), decision.files, required)


def _approver_may_lift(request: WriteRequest, refused: Refused) -> bool:
    """Whether nothing stands in the way but the platform's change limits, and a person asked."""
    return not request.principal.is_worker and {each.code for each in refused.problems} == {"change-limit"}


def _update(tree: Tree, request: WriteRequest, known: KnownChange, facts: Facts | None) -> Proposed | Refused:
    change = known.change
    if request.principal.user != change.author.user:
        message = f"only {change.author.user} may update change {change.id}"
        return Refused(request, (Problem("forbidden", "", 0, 0, message, "make a request of your own"),))
    whole = replace(request, writes=net_writes(tree, known, request.writes))
    after, decision = decide_request(tree, whole, _approved(facts))
    if isinstance(decision, Refused):
        return decision
    if not decision.files:
        problem = Problem("empty-change", "", 0, 0, f"nothing is left of change {change.id}", "close it instead")
        return Refused(request, (problem,))
    if len(decision.files) > MOST_PATHS:
        problem = Problem("too-large", "", 0, 0, f"a change writes at most {MOST_PATHS} paths", "make two changes")
        return Refused(request, (problem,))
    required = approvals_required(tree, after, decision.files, change.author)
    return Proposed(request, change.id, decision.files, required, change)


def _merge(tree: Tree, request: WriteRequest, known: KnownChange, facts: Facts | None) -> tuple[Tree, Direct]:
    change = known.change
    if problem := may_not_end(tree, request.principal, change):
        return tree, Refused(request, (problem,))
    if request.principal.is_worker and stands_on_main(tree, known):
        # Others put it there: nothing is left to decide, and its commit only says so.
        by_author = replace(_by_its_author(request.id, tree, known), writes=(), body=request.body)
        return tree, Accepted(by_author, {}, Merging(change.id, change.head, (), request.asked_by))
    after, decision = decide_request(tree, _by_its_author(request.id, tree, known), _approved(facts))
    if isinstance(decision, Refused):
        return tree, decision
    decision = replace(decision, request=replace(decision.request, key=request.key, body=request.body))
    found = _standing(tree, after, known, decision.files)
    if found.missing:
        return tree, Refused(request, (missing_approvals(change, found),))
    approved_by = tuple(sorted(each.approval.approver.user for each in found.approvals if not each.fallen))
    return after, replace(decision, merges=Merging(change.id, change.head, approved_by, request.asked_by))


def _by_its_author(request: RequestId, tree: Tree, known: KnownChange) -> WriteRequest:
    """Return a request for all that the change does to main, as its author would make it: theirs are the roles."""
    change = known.change
    return WriteRequest(
        id=request,
        tenant=change.tenant,
        project=change.project,
        subject=change.subject,
        principal=change.author,
        writes=net_writes(tree, known),
        email=change.email,
    )


def missing_approvals(change: Change, found: Standing) -> Problem:
    """Return why a change cannot be merged that lacks approvals."""
    people = "approval is" if found.missing == 1 else "approvals are"
    fallen = [f"that of {each.approval.approver.user} fell: {each.fallen}" for each in found.approvals if each.fallen]
    message = "; ".join((f"{found.missing} {people} missing of change {change.id}", *fallen))
    who = ", ".join(each.user or f"group {each.group}" for each in found.who)
    return Problem("approval-missing", "", 0, 0, message, f"ask {who}" if who else "nobody has the role to approve it")


def _close(tree: Tree, request: WriteRequest, known: KnownChange) -> Closed | Refused:
    if problem := may_not_end(tree, request.principal, known.change):
        return Refused(request, (problem,))
    return Closed(request, known.change)


@dataclass(frozen=True)
class Preview:
    """What an open change would do to main as that is now, and what it lacks."""

    files: Files
    plan: ChangePlan
    """With every problem that stands in the way, conflicts included."""
    digest: PlanDigest
    standing: Standing
    conflicts: tuple[Problem, ...]

    @property
    def mergeable(self) -> bool:
        """Whether it can be merged now."""
        return not self.standing.missing and not refusing(self.plan.problems)


NO_REQUEST = RequestId(UUID(int=0))


def preview_questions(tree: Tree, known: KnownChange) -> LedgerQuestions:
    """Return what to ask the ledger before a change is looked at."""
    return questions_of(tree, [_by_its_author(NO_REQUEST, tree, known)])


def preview(
    tree: Tree, known: KnownChange, *, now: datetime, others: Sequence[OpenChange] = (), facts: Facts | None = None
) -> Preview:
    """Return what merging the change would do, whatever stands in the way.

    The plan of a tenant's change is the one its members may see; that of the platform's is whole.
    """
    change = known.change
    by_author = _by_its_author(NO_REQUEST, tree, known)
    files = {each.path: None if each.action is WriteAction.REMOVE else each.content for each in by_author.writes}
    drafted = draft(tree, change.author, files)
    _, decision = decide_request(tree, by_author, _approved(facts))
    conflicts = decision.problems if isinstance(decision, Refused) and decision.conflict else ()
    problems = (*conflicts, *drafted.problems, *problems_of(tree, drafted.head, files, _approved(facts)))
    plan = _plan(tree, drafted.head, files, change.tenant, now, others=others, problems=problems)
    digest = plan_digest(plan, known.blobs)
    required = approvals_required(tree, drafted.head, files, change.author)
    return Preview(files, plan, digest, standing(tree, change, required, digest, known.approvals), conflicts)


def _standing(tree: Tree, after: Tree, known: KnownChange, files: Files) -> Standing:
    change = known.change
    required = approvals_required(tree, after, files, change.author)
    plan = _plan(tree, after, files, change.tenant, SOME_TIME)
    return standing(tree, change, required, plan_digest(plan, known.blobs), known.approvals)


def _plan(
    tree: Tree,
    after: Tree,
    paths: Collection[str],
    tenant: str,
    now: datetime,
    *,
    others: Sequence[OpenChange] = (),
    problems: Iterable[Problem] = (),
) -> ChangePlan:
    if tenant != PLATFORM_TENANT and all(path.startswith(folder_of(tenant)) for path in paths):
        return plan_for_tenant(tree, after, paths, tenant, now=now, others=others, problems=problems)
    return plan_change(tree, after, paths, now=now, others=others, problems=problems)


def _approved(facts: Facts | None) -> Facts:
    """Return the facts of a change whose limits an approver may lift: who it is, is settled before it is merged."""
    return replace(facts or Facts(), approved=True)
