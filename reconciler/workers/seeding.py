"""Seeding: the first commit of a state repository, from the folders of a checkout."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from intents.checks import check
from intents.checks.catalog import allowed_images
from intents.documents import Document
from intents.identity import identify, misplaced
from intents.kinds import Spec
from intents.packages import check_packages
from intents.problems import InvalidIntent, Problem
from intents.reading import read
from intents.tree import PLATFORM_PATH, Tree
from intents.writing import blob_id
from reconciler.planning.writing import refusing
from reconciler.ports.repository import MAIN, NewCommit, Repository, Signature

NO_UID = b"00000000-0000-0000-0000-000000000000"
"""What a checkout's platform.yaml holds where the seeded repository has its own uid."""


def seed(repository: Repository, files: Mapping[str, bytes], uid: UUID, committer: Signature, now: datetime) -> bool:
    """Make the first commit of main; return whether it was made. One that has a main is never touched.

    Raises InvalidIntent with every problem of the files, and then writes nothing.
    """
    if repository.head() is not None:
        return False
    seeded = {path: _with_uid(path, body, uid) for path, body in files.items()}
    check_files(seeded)
    message = f"Seed the state repository\n\n{len(seeded)} files of platform/, tenants/ and templates/.\n"
    commit = NewCommit(committer, committer, now, message, seeded)
    repository.move(MAIN, None, repository.append("seed", None, [commit])[0])
    return True


def tree_of(files: Mapping[str, bytes]) -> Tree:
    """Return the tree of the files that can be read."""
    return Tree.empty().advance(_documents(files, []))


def check_files(files: Mapping[str, bytes]) -> None:
    """Raise InvalidIntent with every problem of a whole tree of files."""
    problems: list[Problem] = []
    documents = _documents(files, problems)
    tree = Tree.empty().advance(documents)
    problems.extend(check_packages(documents.values(), files, allowed_images(tree)))
    problems.extend(refusing(check(Tree.empty(), tree)))
    if problems:
        raise InvalidIntent(problems)


def _documents(files: Mapping[str, bytes], problems: list[Problem]) -> dict[str, Document[Spec]]:
    """Read the files; what is wrong with them goes to `problems`."""
    documents: dict[str, Document[Spec]] = {}
    for path, body in sorted(files.items()):
        try:
            documents |= _read(path, body)
        except InvalidIntent as invalid:
            problems.extend(invalid.problems)
    return documents


def _read(path: str, body: bytes) -> dict[str, Document[Spec]]:
    if problem := misplaced(path):
        raise InvalidIntent([problem])
    return {path: read(path, body, blob_id(body))} if identify(path) else {}


def _with_uid(path: str, body: bytes, uid: UUID) -> bytes:
    return body.replace(NO_UID, str(uid).encode()) if path == PLATFORM_PATH else body
