"""Which paths a caller may name at all: what is not theirs does not exist for them."""

from __future__ import annotations

from http import HTTPStatus

from api.http.caller import Caller
from api.http.problems import Refusal, not_found, refusal
from intents.identity import Identity, identify, misplaced
from intents.kinds import Kind
from intents.problems import Problem
from reconciler.planning.companions import is_companion

LONGEST_PATH = 400
_HINT = "beside a template lie its package and sources, their names in lower case"
PLATFORMS_OWN = frozenset({Kind.PLATFORM, Kind.CLUSTER, Kind.TEMPLATE, Kind.TENANT})


def document_path(caller: Caller, path: str) -> Identity:
    """Return what stands at a path of the caller's; refuses any other as if it were not there."""
    identity = identify(path)
    if identity is None or not _is_theirs(caller, identity):
        raise not_found(_shown(path))
    return identity


def in_scope(caller: Caller, path: str, *, companions: bool = False) -> Identity | None:
    """Return the same for a path that is to be written, and say of the caller's own why it cannot be.

    With `companions`, also a file beside a template may be; its identity is None.
    """
    identity = identify(path)
    if identity is not None and _is_theirs(caller, identity):
        return identity
    if companions and caller.is_platform and is_companion(path):
        return None
    if identity is None and _is_below_theirs(caller, path):
        if len(path) > LONGEST_PATH:
            raise Refusal(HTTPStatus.REQUEST_URI_TOO_LONG, "path-too-long", f"{_shown(path)} is too long for a path")
        raise refusal([misplaced(path) or Problem("misplaced-file", path, 0, 0, "no file may lie here", _HINT)])
    raise not_found(_shown(path))


def prefix_of(caller: Caller, project: str | None) -> str:
    """Return what the paths begin with that a list may hold."""
    if caller.is_platform:
        return ""
    return f"tenants/{caller.tenant}/" + (f"projects/{project}/" if project else "")


def _is_theirs(caller: Caller, identity: Identity) -> bool:
    if not caller.is_platform:
        return identity.tenant == caller.tenant
    newcomer = identity.kind is Kind.PROJECT and caller.tree.tenant(identity.tenant) is None
    return identity.kind in PLATFORMS_OWN or newcomer


def _is_below_theirs(caller: Caller, path: str) -> bool:
    if caller.is_platform:
        return path.startswith(("platform/", "templates/"))
    return path.startswith(f"tenants/{caller.tenant}/")


def _shown(path: str) -> str:
    return path if len(path) <= LONGEST_PATH else f"{path[:80]}…"
