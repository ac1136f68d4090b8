"""A folder that is laid out as the repository, against what is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from api.cli.given import Given, given
from api.cli.refusals import Unreadable
from api.cli.session import Session
from api.client import ANY, Write
from intents.authority import FACTS
from intents.identity import Identity, identify
from intents.kinds.base import Kind

_TOPS = ("platform", "templates", "tenants")
_LAYOUT = ": give a folder laid out as the repository, with platform/, templates/ or tenants/ in it"
MOST_WRITES = 500
"""Of one change; the API takes no more."""


@dataclass(frozen=True)
class Folder:
    """What a folder asks for within one tenant, or for the platform itself."""

    given: Mapping[str, Given]
    """What it is about, by path."""
    writes: tuple[Write, ...]
    """What differs from what is there."""
    elsewhere: int
    """Files that are somebody else's."""
    facts: int
    """Intents that the platform alone writes."""

    @property
    def unchanged(self) -> int:
        """How many are there as they are."""
        return len(self.given) - sum(each.path in self.given for each in self.writes)

    def left_out_lines(self) -> Iterator[str]:
        """Yield what is not looked at, and why."""
        if self.elsewhere:
            yield f"left out: {self.elsewhere} of another tenant or project, or of the platform"
        if self.facts:
            yield f"left out: {self.facts} that the platform writes itself (models, rollouts)"


def folder_of(session: Session, root: Path, project: str | None) -> Folder:
    """Read a folder and compare it with what is there. Raises UsageError where there is nothing to apply."""
    intents = {path: who for path in _paths(root) if (who := identify(path))}
    tenants = {who.tenant for who in intents.values() if who.tenant}
    scope = session.client.tenant
    known = {each.name for each in session.client.intents.list(Kind.TENANT)}
    theirs = {path: who for path, who in intents.items() if _is_in(who, scope, project, known)}
    documents = {path: given(root / path) for path, who in theirs.items() if who.kind not in FACTS}
    if not documents:
        raise click.UsageError(_nothing(root, scope, sorted(tenants - {scope})))
    session.given.update(documents)
    there = {each.path: each.blob for each in session.client.intents.list(project=project if scope else None)}
    differing = [write for path, each in documents.items() if (write := each.write(path, there.get(path)))]
    writes = (*differing, *_companions(root, differing))
    if len(writes) > MOST_WRITES:
        raise click.UsageError(
            f"{len(writes)} files differ, and one commit takes {MOST_WRITES}: apply a folder with fewer, or by project"
        )
    return Folder(documents, writes, len(intents) - len(theirs), len(theirs) - len(documents))


def _paths(root: Path) -> Iterator[str]:
    """Yield the files where intents may lie: beside them may be a whole checkout."""
    for file in sorted(file for top in _TOPS for file in (root / top).rglob("*")):
        if file.is_file():
            yield file.relative_to(root).as_posix()


def _is_in(who: Identity, scope: str, project: str | None, known: Iterable[str]) -> bool:
    """Whether an intent is the tenant's and project's; outside tenants, the platform's, or comes with a new tenant."""
    if scope:
        return who.tenant == scope and project in {None, who.project}
    return who.kind is Kind.TENANT or not who.tenant or (who.kind is Kind.PROJECT and who.tenant not in known)


def _companions(root: Path, writes: Sequence[Write]) -> Iterator[Write]:
    """Yield the files beside the templates that differ: their packages, and what those were made of."""
    for write in writes:
        who = identify(write.path)
        if who and who.kind is Kind.TEMPLATE:
            folder = root / Path(write.path).parent
            for file in sorted(folder.iterdir()):
                if file.is_file() and file.name != "template.yaml":
                    yield Write(file.relative_to(root).as_posix(), _text(file), ANY)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError) as error:
        raise Unreadable(f"{file}: {error}") from error


def _nothing(root: Path, scope: str, others: Sequence[str]) -> str:
    whose = f"of tenant {scope}" if scope else "of the platform"
    hint = f"; it has some of {', '.join(others)}: say whose by -t" if others else ""
    return f"{root} holds no intent {whose}{hint or _LAYOUT}"
