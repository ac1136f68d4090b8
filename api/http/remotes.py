"""Where main is, here and elsewhere, as people see it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from api.http.context import ApiContext
from intents.kinds.platform import Repository
from reconciler.ports.remotes import HOME, MIRROR, RemoteStatus
from reconciler.ports.requests import RequestState, RequestStatus


class Delivery(BaseModel):
    """How far a request came beyond what is known here."""

    pushed: bool | None = Field(default=None, description="whether the mirror has the commit; null where there is none")
    waits_for: str = Field(default="", description="why the forge that is home of main cannot be written to, if so")


async def repository_view(context: ApiContext) -> dict[str, Any]:
    """Return main as it is accepted here and, apart from that, what is pushed elsewhere, and what is in the way."""
    spec, known = context.head.tree.platform.repository, await context.remotes.remotes()
    view: dict[str, Any] = {"home": spec.home.value, "accepted": context.head.commit}
    if spec.forge is not None:
        home = _of(known.get(HOME), spec.forge.url)
        view["forge"] = {"address": spec.forge.url, **_trouble(home)}
    if spec.mirror is not None:
        mirror = _of(known.get(MIRROR), spec.mirror)
        view["mirror"] = {"address": spec.mirror, "pushed": mirror.commit if mirror else "", **_trouble(mirror)}
    return view


async def delivery_of(context: ApiContext, status: RequestStatus) -> Delivery:
    """Return how far a request's commit came beyond being accepted, and what a waiting one waits for."""
    spec = context.head.tree.platform.repository
    if status.state is RequestState.COMMITTED and spec.mirror is not None:
        return Delivery(pushed=status.pushed_at is not None)
    if status.state is RequestState.WAITING and spec.forge is not None:
        return Delivery(waits_for=await _waits_for(context, spec))
    return Delivery()


async def _waits_for(context: ApiContext, spec: Repository) -> str:
    home = _of((await context.remotes.remotes()).get(HOME), spec.forge.url if spec.forge else "")
    return home.reason if home else ""


def _of(status: RemoteStatus | None, address: str) -> RemoteStatus | None:
    return status if status is not None and status.address == address else None


def _trouble(status: RemoteStatus | None) -> dict[str, Any]:
    return {"reason": status.reason if status else "", "since": status.at if status else None}
