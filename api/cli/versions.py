"""Versions of an intent, as people name them: by the beginning of a commit."""

from __future__ import annotations

import re
from itertools import dropwhile, islice

from api.cli.session import Session
from api.client import Ambiguous, NotFound, Reference

WHOLE = 40
_COMMIT = re.compile("[0-9a-f]{4,40}")


def path_with_history(session: Session, reference: Reference) -> str:
    """Return where an intent lies or, of the kinds that it can be told of, lay. Raises NotFound."""
    path = session.client.find_path(reference)
    if path is None:
        raise NotFound(f"there is no {reference}")
    return path


def commit_of(session: Session, path: str, text: str) -> str:
    """Return the commit that begins so: whole, any; else one of the intent's history. Raises Ambiguous and NotFound."""
    if not _COMMIT.fullmatch(text):
        raise Ambiguous(f"`{text}` is no commit: give 4 or more of its hexadecimal digits")
    if len(text) == WHOLE:
        return text
    commits = {each.commit for each in session.client.intents.history(path) if each.commit.startswith(text)}
    if len(commits) > 1:
        raise Ambiguous(f"`{text}` may be {' or '.join(sorted(commits))}")
    if not commits:
        raise NotFound(f"no commit that changed {path} begins with {text}")
    return commits.pop()


def one_before(session: Session, path: str, commit: str | None = None) -> str:
    """Return the commit that changed an intent before `commit` did, or before the newest. Raises NotFound."""
    history = session.client.intents.history(path)
    rest = dropwhile(lambda each: commit is not None and each.commit != commit, history)
    two = list(islice(rest, 2))
    if len(two) < 2:  # noqa: PLR2004 - itself, and the one before
        raise NotFound(f"{path} has no older version")
    return two[1].commit
