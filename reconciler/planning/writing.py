"""What the writer decides: which waiting requests become commits on top of a tree, and which are refused."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import NewType, Self, TypeAlias
from uuid import UUID

from intents.authority import Principal, forbidden
from intents.checks import Facts, check
from intents.documents import Document
from intents.identity import identify, misplaced
from intents.kinds import Kind, Spec
from intents.problems import InvalidIntent, Problem, Severity
from intents.reading import read
from intents.tree import Tree
from intents.writing import blob_id
from reconciler.planning.capabilities import not_carried_out
from reconciler.planning.changes import Change, ChangeId, OfChange
from reconciler.planning.companions import companion_problems, is_companion
from reconciler.planning.facts import LedgerQuestions, ledger_questions
from reconciler.planning.idempotency import RequestKey

RequestId = NewType("RequestId", UUID)
CommitId = NewType("CommitId", str)

BATCH_BYTES = 16 << 20
"""What is decided at once: whoever does it takes three times as much memory, and others wait for all of it."""
ABSENT = "absent"
ANY = "any"


class WriteAction(StrEnum):
    """What a write does to its path."""

    PUT = "put"
    REMOVE = "remove"
    ALLOCATE = "allocate"
    """The path is a folder of versions: the writer picks the file's name, `<highest number + 1>.yaml`."""
    GUARD = "guard"
    """Nothing is written: the request only stands or falls with what the path is expected to hold."""


@dataclass(frozen=True)
class Write:
    """One path of a request."""

    path: str
    action: WriteAction
    content: bytes = b""
    expects: str = ANY
    """What must stand at the path at the writer's turn: a blob id, ABSENT or ANY."""

    @classmethod
    def from_json(cls, row: Mapping[str, str]) -> Self:
        """Read a write from its JSON form in a request's row."""
        return cls(row["path"], WriteAction(row["action"]), row["content"].encode(), row["expects"])

    def to_json(self) -> dict[str, str]:
        """Return the form kept in a request's row; intents are UTF-8 by definition."""
        return {
            "path": self.path,
            "action": self.action.value,
            "content": self.content.decode(),
            "expects": self.expects,
        }


@dataclass(frozen=True)
class Author:
    """Who wrote a change that somebody brings here, and when; it is what they say of themselves."""

    name: str
    email: str
    at: datetime


@dataclass(frozen=True)
class WriteRequest:
    """One durable request: every write of it, in one commit, or none."""

    id: RequestId
    tenant: str
    project: str
    subject: str
    """First line of the commit message."""
    principal: Principal
    writes: tuple[Write, ...]
    email: str = ""
    on_behalf_of: str = ""
    cause: str = ""
    """What led a worker to ask: an event, a request or a commit, named."""
    body: str = ""
    """Evidence for the commit message, free text."""
    key: RequestKey | None = None
    """Under which the same may be asked again."""
    of_change: OfChange | None = None
    """The change that it is about; most are about none."""
    merge_when_approved: bool = False
    """Should it become a change: whether that is merged with the last approval that it needs."""
    author: Author | None = None
    """Of a commit that is pushed; otherwise the principal is the author."""

    @property
    def asked_by(self) -> str:
        """Who asked: the person for whom a worker speaks, where it says so."""
        return self.on_behalf_of or self.principal.user

    @property
    def size(self) -> int:
        """How many bytes it would write."""
        return sum(len(write.content) for write in self.writes)


@dataclass(frozen=True)
class Merging:
    """What a commit says of the change that it merges."""

    change: ChangeId
    head: str
    """The newest commit of its branch."""
    approved_by: tuple[str, ...]
    merged_by: str


@dataclass(frozen=True)
class Accepted:
    """A request that becomes a commit on main: its writes with every path decided."""

    request: WriteRequest
    files: Mapping[str, bytes | None]
    merges: Merging | None = None


@dataclass(frozen=True)
class Proposed:
    """A request that becomes a commit beside main, on the branch of a change: others have to approve it."""

    request: WriteRequest
    change: ChangeId
    files: Mapping[str, bytes | None]
    """All that the change writes, not this request alone."""
    required: int
    """How many others have to approve."""
    before: Change | None = None
    """The change as it was; None where the request opens it."""


@dataclass(frozen=True)
class Closed:
    """A request that ends a change without merging it."""

    request: WriteRequest
    change: Change


@dataclass(frozen=True)
class Refused:
    """A request that changes nothing, and every reason why."""

    request: WriteRequest
    problems: tuple[Problem, ...]
    conflict: bool = False
    """The refusal is an `expects` that no longer holds: reading again and deciding anew may succeed."""


@dataclass(frozen=True)
class Batch:
    """Decisions in the order of the requests, and the tree they lead to."""

    tree: Tree
    decisions: tuple[Decision, ...] = field(default=())

    @property
    def accepted(self) -> tuple[Accepted, ...]:
        """The requests that become commits on main, in order."""
        return tuple(item for item in self.decisions if isinstance(item, Accepted))

    @property
    def refused(self) -> tuple[Refused, ...]:
        """The requests that change nothing."""
        return tuple(item for item in self.decisions if isinstance(item, Refused))


Direct: TypeAlias = Accepted | Refused
Decision: TypeAlias = Accepted | Proposed | Closed | Refused
Decide: TypeAlias = Callable[[Tree, WriteRequest], tuple[Tree, Decision]]


def in_one_batch(requests: Iterable[WriteRequest]) -> Iterator[WriteRequest]:
    """Yield the first of the requests, up to the one with which they reach BATCH_BYTES."""
    size = 0
    for request in requests:
        if size >= BATCH_BYTES:
            return
        size += request.size
        yield request


def removals(tree: Tree, document: Document[Spec], expects: str) -> tuple[Write, ...]:
    """Return the writes that remove an intent; with a deployment goes its rollout."""
    writes = (Write(document.path, WriteAction.REMOVE, expects=expects),)
    who = document.identity
    rollout = tree.rollout(who.tenant, who.project, who.name) if who.kind is Kind.MODEL_DEPLOYMENT else None
    return writes if rollout is None else (*writes, Write(rollout.path, WriteAction.REMOVE, expects=rollout.blob))


def decide_batch(tree: Tree, requests: Iterable[WriteRequest], decide: Decide | None = None) -> Batch:
    """Decide each request against the tree as left by the ones before it; a bad one is refused alone."""
    decide_one = decide or decide_request
    decisions: list[Decision] = []
    for request in requests:
        tree, decision = decide_one(tree, request)
        decisions.append(decision)
    return Batch(tree, tuple(decisions))


def decide_request(tree: Tree, request: WriteRequest, facts: Facts | None = None) -> tuple[Tree, Direct]:
    """Return the tree after the request and the decision, approvals left out; the tree is unchanged by a refused one.

    `facts` are the ledger's answers to `questions_of`; without them, what they decide is left open.
    """
    placed = tuple(_place(tree, write) for write in request.writes)
    conflicts = tuple(problem for write in placed if (problem := _unexpected(tree, write)))
    if conflicts:
        return tree, Refused(request, conflicts, conflict=True)
    writes = [write for write in placed if write.action is not WriteAction.GUARD]
    try:
        after = _apply(tree, request.principal, writes, facts)
    except InvalidIntent as refused:
        return tree, Refused(request, refused.problems)
    return after, Accepted(request, {write.path: _content(write) for write in writes})


def questions_of(tree: Tree, requests: Iterable[WriteRequest]) -> LedgerQuestions:
    """Return what to ask the ledger before the requests are decided, all at once."""
    writes = (write for request in requests for write in request.writes)
    acting = (write for write in writes if write.action in {WriteAction.PUT, WriteAction.REMOVE})
    return ledger_questions(tree, ((write.path, write.action is WriteAction.PUT) for write in acting))


def _place(tree: Tree, write: Write) -> Write:
    """Give a write that asks for allocation its path: the highest number in the folder plus one."""
    if write.action is not WriteAction.ALLOCATE:
        return write
    first = f"{write.path}/1.yaml"
    identity = identify(first)
    known = () if identity is None else tree.named(identity).values()
    number = max((int(document.identity.version) for document in known), default=0) + 1
    return replace(write, path=f"{write.path}/{number}.yaml", action=WriteAction.PUT, expects=ABSENT)


def _content(write: Write) -> bytes | None:
    return None if write.action is WriteAction.REMOVE else write.content


def holds(tree: Tree, write: Write) -> bool:
    """Whether what a write expects stands at its path."""
    here = tree.get(write.path)
    return write.expects in {ANY, ABSENT if here is None else here.blob}


def _unexpected(tree: Tree, write: Write) -> Problem | None:
    if holds(tree, write):
        return None
    here = tree.get(write.path)
    found = ABSENT if here is None else here.blob
    message = f"expected {write.expects} at this path, found {found}"
    return Problem("conflict", write.path, 0, 0, message, "read it again and decide on what is there now")


def _apply(tree: Tree, principal: Principal, writes: Sequence[Write], facts: Facts | None) -> Tree:
    """Return `tree` with the writes in it, or raise InvalidIntent with every problem they cause."""
    problems: list[Problem] = []
    changes: dict[str, Document[Spec] | None] = {}
    removed = {write.path for write in writes if write.action is WriteAction.REMOVE}
    for write in writes:
        try:
            changes |= _documents(tree, principal, write, removed)
        except InvalidIntent as refused:
            problems.extend(refused.problems)
    if problems:
        raise InvalidIntent(problems)
    after = tree.advance(changes)
    gaps = [gap for document in changes.values() if document is not None for gap in not_carried_out(document)]
    packages = companion_problems(tree, after, {write.path: _content(write) for write in writes})
    if refusals := refusing((*gaps, *packages, *check(tree, after, changes.keys(), facts))):
        raise InvalidIntent(refusals)
    return after


def _documents(
    tree: Tree, principal: Principal, write: Write, removed: Collection[str]
) -> Mapping[str, Document[Spec] | None]:
    """Return the intent that a write leaves at its path; nothing for a file beside the intents."""
    if problem := misplaced(write.path) or forbidden(tree, principal, write.path, removed):
        raise InvalidIntent([problem])
    if is_companion(write.path) and identify(write.path) is None:
        return {}
    content = _content(write)
    return {write.path: None if content is None else read(write.path, content, blob_id(content))}


def refusing(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems that refuse a change; warnings do not."""
    return tuple(problem for problem in problems if problem.severity is Severity.ERROR)
