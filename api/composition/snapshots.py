"""Which files a command is about: a folder as it lies there, commits, or what a push brings."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.planning.states import State
from reconciler.ports.errors import Stalled
from reconciler.ports.snapshots import FOLDERS, Snapshot
from reconciler.stores.folder import FolderSnapshot


@dataclass(frozen=True)
class Sight:
    """What is looked at: files as they are or are to be, and where a change is meant, as they were before."""

    after: Snapshot | None
    """None where the branch is removed."""
    before: Snapshot | None = None
    beside: frozenset[str] = frozenset()
    """Paths of files that the change touches beside the repository of intents."""

    def states(self) -> tuple[State | None, State]:
        """Read both. What is the same in both is read once. Raises Stalled."""
        before = State().advanced(self.before.blobs(), self._body_before) if self.before else None
        after = (before or State()).advanced(self.after.blobs(), self.after.body) if self.after else State()
        return before, after

    def _body_before(self, path: str) -> bytes:
        """Return the bytes of a file as it was, from the folder where it is the same: there it is read already."""
        if self.before is None:
            raise KeyError(path)
        is_same = self.after is not None and self.after.blobs().get(path) == self.before.blobs()[path]
        return (self.after if is_same and self.after is not None else self.before).body(path)

    def body(self, path: str) -> bytes:
        """Return the bytes of a file as it is, or is to be."""
        if self.after is None:
            raise KeyError(path)
        return self.after.body(path)


def sight(directory: Path, ref: str | None = None, base: str | None = None) -> Sight:
    """Look at a folder, or at the commit `ref`, and where `base` is given, at that commit before it. Raises Stalled.

    A bare repository has no files to look at: there it is the commit that HEAD names. A place without any intent,
    before and after, is no repository of intents: whoever asks is in the wrong folder.
    """
    after, before = _after(directory, ref), _commit(directory, base) if base is not None else None
    if not any(each.blobs() for each in (after, before) if each):
        raise Stalled(_nothing_in(f"{directory} at {ref}" if ref else str(directory)))
    return Sight(after, before)


def work_tree(directory: Path) -> Sight:
    """Look at a folder as it lies there, committed or not, with intents in it or none yet."""
    return Sight(FolderSnapshot(directory))


def _after(directory: Path, ref: str | None) -> Snapshot:
    if ref is not None:
        return _commit(directory, ref)
    if any((directory / folder).is_dir() for folder in FOLDERS):
        return FolderSnapshot(directory)
    try:
        return _commit(directory, "HEAD")
    except Stalled as error:
        raise Stalled(f"{_nothing_in(str(directory))} ({error})") from error


def _nothing_in(place: str) -> str:
    return f"there are no intents in {place}: name the folder that holds {', '.join(f'{each}/' for each in FOLDERS)}"


def push(directory: Path, lines: Iterable[bytes], environment: Mapping[str, str] = os.environ) -> Sight | None:
    """Look at a push, told as git tells its hook pre-receive: `<old> <new> <ref>` a line. Raises Stalled.

    Intents are on the branch that HEAD names; None where the push moves only others.
    """
    from reconciler.stores.git.snapshot import Commits  # noqa: PLC0415 - as below

    commits = Commits(directory, environment.get("GIT_QUARANTINE_PATH", ""))
    for old, new, ref in map(_moved, lines):
        if ref == commits.branch:
            # Git gives the id 0 to a branch that is not there.
            before, after = (commits.snapshot(name) if name.strip("0") else None for name in (old, new))
            one, other = (each.beside().items() if each else set() for each in (before, after))
            return Sight(after, before, frozenset(path for path, _ in one ^ other))
    return None


def _commit(directory: Path, name: str) -> Snapshot:
    # Loaded late: who looks at a folder alone needs no git.
    from reconciler.stores.git.snapshot import Commits  # noqa: PLC0415

    return Commits(directory).snapshot(name)


def _moved(line: bytes) -> tuple[str, str, str]:
    match line.decode("utf-8", "surrogateescape").split():
        case [old, new, ref]:
            return old, new, ref
    raise Stalled(f"git tells its hook `<old> <new> <ref>` a line, not {line.strip()!a}")
