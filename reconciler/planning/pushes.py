"""What is pushed and where to, and why it may not be, by its form alone. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from intents.kinds.members import WORKER_PREFIX
from intents.problems import Problem
from reconciler.planning.changes import ID_PATTERN, ChangeId
from reconciler.planning.writing import Author

PLAIN = 0o100644
"""The mode of the only files there are."""
MOST_COMMITS = 100
MOST_FILE_BYTES = 1 << 20
MOST_BYTES = 16 << 20
"""Of all files a push writes, together; the requests hold them."""
MOST_MESSAGE_BYTES = 64 << 10


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


@dataclass(frozen=True)
class Target:
    """What is pushed, and where to: main, or a change."""

    commit: str
    change: ChangeId | None = None


MAIN = "refs/heads/main"
CHANGES = "refs/heads/change"


def target_of(update: RefUpdate) -> Target | Unfit:
    """Return what a ref is to hold, or why nothing can be pushed there."""
    folder, _, name = update.ref.rpartition("/")
    if update.new is None:
        return Unfit("nothing is removed by a push: what was written stays")
    if update.ref == MAIN:
        return Target(update.new)
    if folder == CHANGES and re.fullmatch(ID_PATTERN, name):
        return Target(update.new, ChangeId(name))
    if folder == CHANGES:
        return Unfit("no change is named so: push to main, and what needs approval becomes a change")
    return Unfit("only main and open changes are pushed to: git push origin HEAD:main")


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
