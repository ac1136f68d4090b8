"""Commits as they are in a repository, bare or not, without a checkout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import pygit2

from reconciler.ports.branches import OpenBranch
from reconciler.ports.errors import Stalled
from reconciler.ports.repository import Change
from reconciler.ports.snapshots import FOLDERS, LARGEST, belongs, too_large
from reconciler.stores.git.branches import open_branches
from reconciler.stores.git.walk import changed_blobs


class CommitSnapshot:
    """The Snapshot port on one commit."""

    def __init__(self, repository: pygit2.Repository, commit: pygit2.Commit, folder: str) -> None:
        """Look at `folder` of a commit, which ends in `/`, or at all of it. Nothing is read before it is asked for."""
        self._repository = repository
        self._commit = commit
        self._folder = folder

    def blobs(self) -> Mapping[str, str]:
        """Return the id git gives each file's bytes."""
        return self._blobs

    def body(self, path: str) -> bytes:
        """Return the bytes of one of the files."""
        with _whole(self._repository):
            blob = self._repository[self._blobs[path]].peel(pygit2.Blob)
            if blob.size > LARGEST:
                raise too_large(path)
            return blob.data

    def beside(self) -> Mapping[str, str]:
        """Return the blob ids of all other files of the commit, by their path in it."""
        ours = {f"{self._folder}{path}" for path in self._blobs}
        with _whole(self._repository):
            return {path: blob for path, blob in _files(self._commit.tree, "") if path not in ours}

    @cached_property
    def _blobs(self) -> dict[str, str]:
        found = (file for folder in FOLDERS for file in _files(self._below(folder), f"{folder}/"))
        with _whole(self._repository):
            return {_shown(path): blob for path, blob in found if belongs(path)}

    def _below(self, folder: str) -> pygit2.Tree | None:
        try:
            found = self._commit.tree[f"{self._folder}{folder}"]
        except KeyError:
            return None
        return found if isinstance(found, pygit2.Tree) else None


class Commits:
    """The commits of the repository that a folder is, or lies in."""

    def __init__(self, directory: Path, quarantine: str = "") -> None:
        """Find the repository; `quarantine` is where git keeps the objects of a push until its hooks accept it.

        Raises Stalled where there is none.
        """
        self._repository = _open(directory)
        self._folder = _folder_in(self._repository, directory)
        if quarantine:
            self._repository.odb.add_disk_alternate(quarantine)

    @property
    def branch(self) -> str:
        """The full name of the branch that HEAD is on."""
        return str(self._repository.lookup_reference("HEAD").target)

    def snapshot(self, name: str) -> CommitSnapshot:
        """Return the commit that git knows by `name`: a branch, a tag, an id, `HEAD^1`. Raises Stalled."""
        return CommitSnapshot(self._repository, self._commit(name), self._folder)

    def first_of(self, *names: str) -> str | None:
        """Return the first of some names that git knows."""
        return next((name for name in names if self._known(name) is not None), None)

    def commit(self, name: str) -> str:
        """Return the id of the commit that git knows by `name`. Raises Stalled."""
        return str(self._commit(name).id)

    def fork(self, base: str, head: str) -> str:
        """Return the id of the commit at which `head` left `base`; that of `base` where they never met.

        Raises Stalled where there is no such commit.
        """
        one, other = self._commit(base).id, self._commit(head).id
        with _whole(self._repository):
            return str(self._repository.merge_base(one, other) or one)

    def open_branches(self, base: str) -> Sequence[OpenBranch]:
        """Return the branches `change/*` that the commit `base` does not hold, by name."""
        with _whole(self._repository):
            return list(open_branches(self._repository, self._commit(base)))

    def changes(self, old: str | None, new: str) -> Sequence[Change]:
        """Return every file that `belongs` and differs between two commits."""
        before = None if old is None else self._commit(old).tree_id
        with _whole(self._repository):
            found = list(changed_blobs(self._repository, before, self._commit(new).tree_id))
        inside = ((path.removeprefix(self._folder), blob) for path, blob in found if path.startswith(self._folder))
        return [Change(path, blob) for path, blob in inside if belongs(path)]

    def blob(self, blob: str) -> bytes:
        """Return the bytes of a blob that a commit of this repository has."""
        with _whole(self._repository):
            return self._repository[blob].peel(pygit2.Blob).data

    def _commit(self, name: str) -> pygit2.Commit:
        found = self._known(name)
        if found is None:
            raise Stalled(f"there is no commit {name} here; fetch it, or name another")
        return found

    def _known(self, name: str) -> pygit2.Commit | None:
        try:
            return self._repository.revparse_single(name).peel(pygit2.Commit)
        except (KeyError, ValueError, pygit2.GitError):
            return None


@contextmanager
def _whole(repository: pygit2.Repository) -> Iterator[None]:
    """Say that an object is missing, as in a partial clone or after a disk's failure."""
    try:
        yield
    except (KeyError, pygit2.GitError) as error:
        raise Stalled(f"{repository.path} does not hold all of the commit ({error}): fetch it again") from error


def _open(directory: Path) -> pygit2.Repository:
    try:
        place = pygit2.discover_repository(str(directory))
        if place is not None:
            return pygit2.Repository(place)
    except (KeyError, pygit2.GitError) as error:
        hint = f"; trust it by `git config --global --add safe.directory {directory.resolve()}`"
        why = f"{error}{hint if 'not owned' in str(error) else ''}"
        raise Stalled(f"{directory} cannot be opened as a git repository: {why}") from error
    raise Stalled(f"{directory} is in no git repository")


def _folder_in(repository: pygit2.Repository, directory: Path) -> str:
    if repository.is_bare or directory.resolve() == Path(repository.path).resolve():
        return ""
    folder = directory.resolve().relative_to(Path(repository.workdir).resolve()).as_posix()
    return "" if folder == "." else f"{folder}/"


def _files(tree: pygit2.Tree | None, folder: str) -> Iterator[tuple[str, str]]:
    """Yield path and blob id of every file, links among them; what is of another repository is passed over."""
    for entry in tree or ():
        path = f"{folder}{(entry.raw_name or b'').decode('utf-8', 'surrogateescape')}"
        if isinstance(entry, pygit2.Tree):
            yield from _files(entry, f"{path}/")
        elif isinstance(entry, pygit2.Blob):
            yield path, str(entry.id)


def _shown(path: str) -> str:
    if path.isprintable():
        return path
    raise Stalled(f"the name {path!a} is no text that can be shown: rename the file")
