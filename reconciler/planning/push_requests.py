"""From what is pushed to requests, and what would become of them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import NAMESPACE_OID, uuid5

from intents.authority import Principal
from intents.checks import Facts
from intents.identity import identify
from intents.names import PLATFORM_TENANT
from intents.problems import Problem
from intents.tree import Tree
from reconciler.planning.changes import Change, Deed, OfChange
from reconciler.planning.proposing import Known, KnownChange, decide
from reconciler.planning.pushes import PushedCommit, PushedFile, Unfit, summary
from reconciler.planning.writing import (
    ABSENT,
    ANY,
    Proposed,
    Refused,
    RequestId,
    Write,
    WriteAction,
    WriteRequest,
)

PULL = "git pull --rebase shows what others wrote, and where to decide"


def request_id(commit: str, attempt: int) -> RequestId:
    """Return the id of the request that a pushed commit becomes: pushed again it is the same request.

    A commit that was refused may be pushed again once the reason is gone; that is the next attempt.
    """
    return RequestId(uuid5(NAMESPACE_OID, f"ordain/push/{commit}/{attempt}"))


@dataclass(frozen=True)
class Pusher:
    """Who pushes, as authenticated."""

    principal: Principal
    email: str


def requests_of(commits: Sequence[PushedCommit], attempts: Mapping[str, int], pusher: Pusher) -> Iterator[WriteRequest]:
    """Yield the request that each commit becomes, in order.

    A file is expected to be what it was at the commit's parent, so what others wrote since is never undone. And each
    request stands only on what the one before it wrote: of commits that build on each other, none is left out.
    """
    before: Sequence[PushedFile] = ()
    for commit in commits:
        request = _request_of(commit, attempts.get(commit.id, 0), pusher, place_of(commit))
        guards = _guards(before, {file.path for file in commit.files})
        yield replace(request, writes=(*request.writes, *guards))
        before = commit.files


def update_of(commit: PushedCommit, attempt: int, pusher: Pusher, change: Change) -> WriteRequest:
    """Return the request that adds a commit to a change as that is."""
    request = _request_of(commit, attempt, pusher, (change.tenant, change.project))
    return replace(request, of_change=OfChange(change.id, Deed.UPDATE, change.head))


def _request_of(commit: PushedCommit, attempt: int, pusher: Pusher, place: tuple[str, str]) -> WriteRequest:
    tenant, project = place
    subject, _, body = commit.message.strip().partition("\n")
    return WriteRequest(
        id=request_id(commit.id, attempt),
        tenant=tenant,
        project=project,
        subject=subject or "(no subject)",
        principal=pusher.principal,
        writes=tuple(_writes(commit)),
        email=pusher.email,
        cause=f"pushed as {commit.id}",
        body=body,
        author=commit.author,
    )


def as_one(commits: Sequence[PushedCommit]) -> PushedCommit:
    """Return the last of the commits with all that they do together, as a change is written: it is one request."""
    last, earlier = commits[-1], [f"- {commit.subject}" for commit in commits[:-1]]
    files: dict[str, PushedFile] = {}
    for file in (file for commit in commits for file in commit.files):
        first = files.get(file.path, file)
        files[file.path] = replace(file, before=first.before)
    kept = tuple(file for _, file in sorted(files.items()) if file.before != file.after)
    listed = ["With:\n" + "\n".join(earlier)] if earlier else []
    message = "\n\n".join([last.message.strip(), *listed])
    return PushedCommit(last.id, commits[0].parents, last.author, message, kept)


def onto(known: KnownChange, commit: PushedCommit) -> PushedCommit | Unfit:
    """Return what a commit does to a change that it builds on, or what of it builds on something else.

    As with any branch: where the change holds a file, the commit's parent has to hold the same version.
    """
    blobs = known.blobs
    kept = tuple(file for file in commit.files if file.path not in blobs or blobs[file.path] != file.after)
    other = [file.path for file in kept if file.path in blobs and blobs[file.path] != file.before]
    if not other:
        return replace(commit, files=kept)
    message = "the change holds another version than the commit's parent"
    hint = f"git pull --rebase origin change/{known.change.id}"
    problems = tuple(Problem("conflict", path, 0, 0, message, hint) for path in other)
    return Unfit(summary(problems), commit, problems)


def place_of(commit: PushedCommit) -> tuple[str, str]:
    """Return the tenant and the project that a commit is all about; the platform and none, where it is not."""
    found = [identify(file.path) for file in commit.files]
    tenants = {each.tenant if each else "" for each in found}
    projects = {each.project if each else "" for each in found}
    tenant, project = (next(iter(names)) if len(names) == 1 else "" for names in (tenants, projects))
    return (tenant, project) if tenant else (PLATFORM_TENANT, "")


def _writes(commit: PushedCommit) -> Iterator[Write]:
    for file in commit.files:
        action = WriteAction.REMOVE if file.after is None else WriteAction.PUT
        yield Write(file.path, action, file.body, _expected(file.path, file.before))


def _guards(before: Sequence[PushedFile], written: Collection[str]) -> Iterator[Write]:
    for file in before:
        if file.path not in written and (expected := _expected(file.path, file.after)) != ANY:
            yield Write(file.path, WriteAction.GUARD, expects=expected)


def _expected(path: str, blob: str | None) -> str:
    """Return what a request expects at a path; the tree knows nothing of files that are no intents."""
    return (blob or ABSENT) if identify(path) else ANY


def stands(commit: PushedCommit, tree: Tree, beside: Mapping[str, str | None]) -> bool:
    """Whether all that a commit writes is there already; `beside` are the blobs of its files that are no intents."""
    for file in commit.files:
        here = tree.get(file.path)
        known = here.blob if here else beside.get(file.path)
        if known != file.after:
            return False
    return True


Asked = Sequence[tuple[PushedCommit, WriteRequest]]


def first_held(
    tree: Tree, facts: Facts, asked: Asked, beside: Mapping[str, str | None], known: Known | None = None
) -> Unfit | Proposed | None:
    """Return what becomes of the first of the requests that would not be written to main as things are now.

    It would be refused, or become a change. Those after it are not looked at: what they build on is not there.
    `beside` is as in `stands`, before them all.
    """
    standing = dict(beside)
    for commit, request in asked:
        if problems := _overtaken(commit, standing):
            return Unfit(summary(problems), commit, problems)
        tree, decision = decide(tree, request, known or Known(), facts)
        if isinstance(decision, Refused):
            return refusal_of(commit, decision.problems)
        if isinstance(decision, Proposed):
            return decision
        standing |= {file.path: file.after for file in commit.files}
    return None


def refusal_of(commit: PushedCommit, problems: Sequence[Problem]) -> Unfit:
    """Return a refusal as whoever pushes knows things."""
    return Unfit(summary(problems), commit, told(problems))


def told(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return problems as whoever pushes knows them: what is expected is what the commit's parent holds."""
    message = "somebody else changed it since the commit's parent"
    return tuple(replace(each, message=message, hint=PULL) if each.code == "conflict" else each for each in problems)


def _overtaken(commit: PushedCommit, beside: Mapping[str, str | None]) -> tuple[Problem, ...]:
    """Return where a file that is no intent is not what it was at the commit's parent."""
    files = (file for file in commit.files if file.path in beside and beside[file.path] != file.before)
    return told(Problem("conflict", file.path, 0, 0, "") for file in files)
