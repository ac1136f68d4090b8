"""What a push asks for: its commits as write requests, or why they cannot be any. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import NAMESPACE_OID, uuid5

from intents.authority import Principal
from intents.checks import Facts
from intents.identity import identify
from intents.kinds.members import WORKER_PREFIX
from intents.names import PLATFORM_TENANT
from intents.problems import Problem
from intents.tree import Tree
from reconciler.planning.writing import (
    ABSENT,
    ANY,
    Author,
    Refused,
    RequestId,
    Write,
    WriteAction,
    WriteRequest,
    decide_request,
)

PLAIN = 0o100644
"""The mode of the only files there are."""
MOST_COMMITS = 100
MOST_PATHS = 1_000
MOST_FILE_BYTES = 1 << 20
MOST_BYTES = 16 << 20
"""Of all files a push writes, together; the requests hold them."""
MOST_MESSAGE_BYTES = 64 << 10
PULL = "git pull --rebase shows what others wrote, and where to decide"


@dataclass(frozen=True)
class RefUpdate:
    """One ref that a push wants moved; `new` is None where it is to be removed."""

    ref: str
    new: str | None


@dataclass(frozen=True)
class PushedFile:
    """One path of a commit that differs from its parents. `after` and `mode` are of the commit; None is removed."""

    path: str
    before: str | None
    after: str | None
    mode: int = PLAIN
    size: int = 0
    body: bytes = b""
    """Empty where the file is larger than MOST_FILE_BYTES."""


@dataclass(frozen=True)
class PushedCommit:
    """One commit that main does not hold."""

    id: str
    parents: tuple[str, ...]
    author: Author
    message: str
    files: tuple[PushedFile, ...]
    """What differs from every parent: of a merge, what it decided itself; of most merges, nothing."""

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.strip().partition("\n")[0]


@dataclass(frozen=True)
class Unfit:
    """Why commits cannot become requests: in one line, and in full."""

    reason: str
    commit: PushedCommit | None = None
    problems: tuple[Problem, ...] = ()


MAIN = "refs/heads/main"


def target_of(update: RefUpdate) -> str | Unfit:
    """Return the commit that a ref is to hold, or why nothing can be pushed there."""
    if update.new is None:
        return Unfit("nothing is removed by a push: what was written stays")
    if update.ref != MAIN:
        return Unfit("only main is pushed to: git push origin HEAD:main")
    return update.new


def unfit(commits: Sequence[PushedCommit]) -> Unfit | None:
    """Return why the commits of a push cannot be requests, by their form alone; None where they can."""
    for commit in commits:
        if not commit.parents:
            return Unfit("unrelated history: begin from a clone of main", commit)
        if commit.author.name.startswith(WORKER_PREFIX):
            return Unfit(f"its author {commit.author.name} is one of the platform's own principals", commit)
        if len(commit.message.encode()) > MOST_MESSAGE_BYTES:
            return Unfit(f"its message has more than {MOST_MESSAGE_BYTES} bytes", commit)
        if problems := tuple(_problems(commit)):
            return Unfit(summary(problems), commit, problems)
    return None


def summary(problems: Sequence[Problem]) -> str:
    """Return problems in one line."""
    codes = ", ".join(dict.fromkeys(problem.code for problem in problems))
    return f"{len(problems)} problem{'' if len(problems) == 1 else 's'}: {codes}"


_NOT_PLAIN = {0o100755: "an executable", 0o120000: "a symbolic link", 0o160000: "another repository"}


def _problems(commit: PushedCommit) -> Iterator[Problem]:
    """Yield what no file of a commit may be, and that a merge decides nothing."""
    for file in commit.files:
        if len(commit.parents) > 1:
            message = "the merge commit holds something else here than all that it merges"
            hint = "linear history shows who decided what: git rebase main, then push"
            yield Problem("unfit-merge", file.path, 0, 0, message, hint)
        elif file.after is None:
            continue
        elif file.mode != PLAIN:
            what = _NOT_PLAIN.get(file.mode, f"a file of the mode {file.mode:o}")
            yield Problem("not-a-plain-file", file.path, 0, 0, f"this is {what}", "commit the text itself")
        elif file.size > MOST_FILE_BYTES:
            message = f"the file has {file.size} bytes, at most {MOST_FILE_BYTES} fit"
            yield Problem("too-large", file.path, 0, 0, message)


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
        tenant, project = place_of(commit)
        subject, _, body = commit.message.strip().partition("\n")
        yield WriteRequest(
            id=request_id(commit.id, attempts.get(commit.id, 0)),
            tenant=tenant,
            project=project,
            subject=subject or "(no subject)",
            principal=pusher.principal,
            writes=(*_writes(commit), *_guards(before, {file.path for file in commit.files})),
            email=pusher.email,
            cause=f"pushed as {commit.id}",
            body=body,
            author=commit.author,
        )
        before = commit.files


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


def first_refused(
    tree: Tree, facts: Facts, asked: Sequence[tuple[PushedCommit, WriteRequest]], beside: Mapping[str, str | None]
) -> Unfit | None:
    """Return why the first of the requests that would be refused is; `beside` as in `stands`, before them all.

    Those after it are not looked at: what they build on is not there.
    """
    known = dict(beside)
    for commit, request in asked:
        problems = _overtaken(commit, known)
        if not problems:
            tree, decision = decide_request(tree, request, facts)
            problems = told(decision.problems) if isinstance(decision, Refused) else ()
        if problems:
            return Unfit(summary(problems), commit, problems)
        known |= {file.path: file.after for file in commit.files}
    return None


def told(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return problems as whoever pushes knows them: what is expected is what the commit's parent holds."""
    message = "somebody else changed it since the commit's parent"
    return tuple(replace(each, message=message, hint=PULL) if each.code == "conflict" else each for each in problems)


def _overtaken(commit: PushedCommit, beside: Mapping[str, str | None]) -> tuple[Problem, ...]:
    """Return where a file that is no intent is not what it was at the commit's parent."""
    files = (file for file in commit.files if file.path in beside and beside[file.path] != file.before)
    return told(Problem("conflict", file.path, 0, 0, "") for file in files)
