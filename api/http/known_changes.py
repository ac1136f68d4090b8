"""Changes as the API knows them: the ledger's record with what git holds of it."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from api.http.caller import Caller
from api.http.context import ApiContext
from api.http.problems import Refusal, not_found
from reconciler.planning.changes import ChangeId
from reconciler.planning.proposing import KnownChange
from reconciler.workers.change_branches import read_change


async def known_change(context: ApiContext, caller: Caller, change: ChangeId) -> KnownChange:
    """Return one of the tenant's changes; refuses another's as if it were not there."""
    record = await context.changes(caller.tenant).record(change)
    if record is None:
        raise not_found(f"change {change}")
    try:
        return await asyncio.to_thread(read_change, context.repository, record)
    except KeyError as error:
        detail = f"change {change} is {record.change.state}; its commits are kept no longer"
        raise Refusal(HTTPStatus.GONE, "change-gone", detail) from error
