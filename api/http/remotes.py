"""Where main is, here and elsewhere, as people see it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from api.http.context import ApiContext
from intents.kinds.platform import Repository
from reconciler.planning.changes import Change, ChangeState
from reconciler.ports.remotes import HOME, MIRROR, PULLS, RemoteStatus, pull_name
from reconciler.ports.requests import RequestState, RequestStatus

NOT_TOLD = "the forge is yet to be told of it"


class Delivery(BaseModel):
    """How far a request came beyond what is known here."""

    pushed: bool | None = Field(default=None, description="whether the mirror has the commit; null where there is none")
    waits_for: str = Field(default="", description="why the forge that is home of main cannot be written to, if so")


class OnForge(BaseModel):
    """A change as the forge shows it that is home of main; empty where none is, or the change ended."""

    pull_request: str | None = Field(default=None, description="the address of its pull request, once there is one")
    waits_for: str = Field(default="", description="why the forge does not show it as it is, if so")


async def on_forge(context: ApiContext, change: Change) -> OnForge:
    """Return how the forge shows a change."""
    forge = context.head.tree.platform.repository.forge
    if forge is None or change.state is not ChangeState.OPEN:
        return OnForge()
    known = await context.remotes.remotes()
    pull = known.get(pull_name(change.id))
    address = pull.address if pull and pull.commit and pull.address.startswith(("https://", "http://")) else None
    if pull and pull.commit == change.head and not pull.reason:
        return OnForge(pull_request=address)
    others = (_of(known.get(name), forge.url) for name in (PULLS, HOME))
    reasons = [each.reason for each in (pull, *others) if each and each.reason]
    return OnForge(pull_request=address, waits_for=next(iter(reasons), NOT_TOLD))


async def repository_view(context: ApiContext) -> dict[str, Any]:
    """Return main as it is accepted here and, apart from that, what is pushed elsewhere, and what is in the way."""
    spec, known = context.head.tree.platform.repository, await context.remotes.remotes()
    view: dict[str, Any] = {"home": spec.home.value, "accepted": context.head.commit}
    if spec.forge is not None:
        home = _of(known.get(HOME), spec.forge.url)
        pulls = _of(known.get(PULLS), spec.forge.url)
        view["forge"] = {"address": spec.forge.url, **_trouble(home), "pulls": _trouble(pulls)}
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
