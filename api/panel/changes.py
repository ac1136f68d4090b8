"""Changes that wait for approval, as the tenant's pages show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from api.http.caller import Caller
from api.http.context import ApiContext
from api.http.known_changes import known_change
from api.http.problems import Refusal
from api.http.remotes import OnForge, on_forge
from api.http.reviews import ChangedFile, changed_files, preview_of
from intents.kinds.members import Subject
from reconciler.planning.changes import Change, ChangeId, ChangeState, Counted
from reconciler.planning.plan.lines import Section
from reconciler.planning.plan.report import headline, sections
from reconciler.planning.proposing import KnownChange
from reconciler.ports.changes import ChangeFilter

CHANGES_SHOWN = 5
"""On a project's page; each is planned anew."""


@dataclass(frozen=True)
class ChangeCard:
    """An open change with the whole of its plan in one line, and what it lacks."""

    change: Change
    summary: str
    required: int
    missing: int
    mergeable: bool
    who: tuple[str, ...]
    """Who may approve it."""

    @property
    def state(self) -> str:
        """What it waits for, in a word or two."""
        if self.missing:
            return "needs approval"
        return "approved" if self.mergeable else "has problems"


@dataclass(frozen=True)
class ChangePage:
    """A change: what it would do now, and who said what to it; of one that ended, what it asked."""

    change: Change
    card: ChangeCard | None
    approvals: tuple[Counted, ...]
    digest: str
    plan: tuple[Section, ...]
    files: tuple[ChangedFile, ...]
    forge: OnForge


async def open_changes(context: ApiContext, caller: Caller) -> tuple[Sequence[ChangeCard], bool]:
    """Return the project's newest open changes, and whether there are more; one whose commits are gone is left out."""
    wanted = ChangeFilter(CHANGES_SHOWN + 1, state=ChangeState.OPEN, project=caller.project)
    records = await context.changes(caller.tenant).records(wanted)
    cards: list[ChangeCard] = []
    for record in records[:CHANGES_SHOWN]:
        try:
            known = await known_change(context, caller, record.change.id)
        except Refusal:
            continue
        if (card := (await _open(context, caller, known)).card) is not None:
            cards.append(card)
    return cards, len(records) > CHANGES_SHOWN


async def change_page(context: ApiContext, caller: Caller, change: str) -> ChangePage:
    """Gather the page of a change; raises the refusal where the tenant has none of that id."""
    known = await known_change(context, caller, ChangeId(change))
    if known.change.state is ChangeState.OPEN:
        return await _open(context, caller, known)
    given = tuple(Counted(each) for each in known.approvals)
    files = await changed_files(context, known.files, known.before.get)
    return ChangePage(known.change, None, given, "", (), tuple(files), OnForge())


async def _open(context: ApiContext, caller: Caller, known: KnownChange) -> ChangePage:
    shown = await preview_of(context, caller, known)
    standing = shown.standing
    who = tuple(map(_named, standing.who))
    card = ChangeCard(known.change, headline(shown.plan), standing.required, standing.missing, shown.mergeable, who)
    tree = caller.tree
    files = await changed_files(context, shown.files, lambda path: here.body if (here := tree.get(path)) else None)
    forge = await on_forge(context, known.change)
    return ChangePage(known.change, card, standing.approvals, shown.digest, sections(shown.plan), tuple(files), forge)


def _named(subject: Subject) -> str:
    return subject.user or f"group {subject.group}"
