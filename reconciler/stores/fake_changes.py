"""The changes that wait for approval, in memory, for tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from reconciler.planning.changes import Approval, ChangeId, ChangeState, ChangeVerb, change_fact
from reconciler.planning.events import Fact
from reconciler.ports.changes import ChangeFilter, ChangeRecord
from reconciler.ports.errors import Conflict


class MemoryChanges:
    """The ports Changes and WriterChanges on records that others keep; with `tenant`, a view of that tenant alone."""

    def __init__(
        self, records: dict[ChangeId, ChangeRecord], tell: Callable[[Fact], object], tenant: str | None = None
    ) -> None:
        self._kept = records
        self._tell = tell
        self._tenant = tenant

    async def record(self, change: ChangeId) -> ChangeRecord | None:
        return next((each for each in self._seen() if each.change.id == change), None)

    async def known(self, changes: Collection[ChangeId]) -> Mapping[ChangeId, ChangeRecord]:
        return {each.change.id: each for each in self._seen() if each.change.id in changes}

    async def records(self, wanted: ChangeFilter) -> Sequence[ChangeRecord]:
        found = [each for each in self._seen() if _is_wanted(each, wanted)]
        found.sort(key=lambda each: (each.change.opened_at, each.change.id), reverse=True)
        return found[: wanted.limit]

    async def open_count(self) -> int:
        return sum((await self.open_counts([self._tenant or ""])).values())

    async def open_counts(self, tenants: Collection[str]) -> Mapping[str, int]:
        changes = (each.change for each in self._seen())
        return Counter(each.tenant for each in changes if each.state is ChangeState.OPEN and each.tenant in tenants)

    async def approve(self, approval: Approval) -> None:
        known = await self.record(approval.change)
        if known is None or known.change.state is not ChangeState.OPEN:
            raise Conflict(f"change {approval.change} is not open")
        others = [each for each in known.approvals if each.approver.user != approval.approver.user]
        given = sorted((*others, approval), key=lambda each: (each.at, each.approver.user))
        self._kept[approval.change] = replace(known, approvals=tuple(given))
        by = approval.approver.user
        self._tell(change_fact(known.change, ChangeVerb.APPROVED, by, digest=approval.digest))

    async def withdraw(self, change: ChangeId, approver: str) -> None:
        known = await self.record(change)
        if known is None or known.change.state is not ChangeState.OPEN:
            return
        kept = tuple(each for each in known.approvals if each.approver.user != approver)
        for gone in set(known.approvals) - set(kept):
            self._kept[change] = replace(known, approvals=kept)
            at = gone.at.isoformat()
            self._tell(change_fact(known.change, ChangeVerb.WITHDRAWN, approver, digest=gone.digest, given=at))

    def _seen(self) -> Iterator[ChangeRecord]:
        return (each for each in self._kept.values() if self._tenant in {None, each.change.tenant})


def _is_wanted(record: ChangeRecord, wanted: ChangeFilter) -> bool:
    change = record.change
    return (
        (wanted.before is None or (change.opened_at, change.id) < wanted.before)
        and wanted.state in {None, change.state}
        and wanted.project in {None, change.project}
        and wanted.author in {None, change.author.user}
    )
