"""Changes: what waits for others' approval."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote

from api.client.connection import API, Connection
from api.client.views import ChangeItem, ChangeState, Page, Written
from api.client.writing import WAIT, Asking, send, write

if TYPE_CHECKING:  # it loads all that plans are made by
    from api.client.plans import Approved, ChangeDetail

_PAGE = 200


class Changes:
    """The changes of a tenant; on the bare host, those of the platform and of several tenants."""

    def __init__(self, connection: Connection) -> None:
        """Speak over `connection`."""
        self._connection = connection

    def list(
        self, state: ChangeState | None = ChangeState.OPEN, *, project: str | None = None, author: str | None = None
    ) -> Iterator[ChangeItem]:
        """Yield the changes in a state, newest first; with None, in any."""
        given = {"state": state or "any", "project": project, "author": author, "limit": _PAGE}
        query = {name: value for name, value in given.items() if value is not None}
        return self._connection.pages(Page[ChangeItem], f"{API}/changes", query)

    def get(self, change: str) -> ChangeDetail:
        """Return a change, with its plan at main as it is now. Raises NotFound."""
        from api.client.plans import ChangeDetail  # noqa: PLC0415 - as above

        return self._connection.view(ChangeDetail, _at(change))

    def approve(self, change: str, digest: str, *, asking: Asking = WAIT) -> Approved:
        """Say yes to the plan with that digest, and to no other. Raises Refused where it is another by now."""
        from api.client.plans import Approved  # noqa: PLC0415 - as above

        answer = send(self._connection, "POST", f"{_at(change)}:approve", asking, json={"digest": digest})
        approved = self._connection.parsed(Approved, answer)
        self._connection.wrote(approved.merge.commit if approved.merge else None)
        return approved

    def merge(self, change: str, head: str = "", *, asking: Asking = WAIT) -> Written:
        """Write an approved change to main. Raises Refused where it lacks something, or `head` is not its newest."""
        return self._end(change, "merge", head, asking)

    def close(self, change: str, head: str = "", *, asking: Asking = WAIT) -> Written:
        """End a change without merging it. Raises Refused where it ended, or `head` is not its newest."""
        return self._end(change, "close", head, asking)

    def _end(self, change: str, deed: str, head: str, asking: Asking) -> Written:
        return write(self._connection, Written, "POST", f"{_at(change)}:{deed}", asking, json={"head": head})


def _at(change: str) -> str:
    return f"{API}/changes/{quote(change, safe='')}"
