"""The platform's own processes as parts: the API, the writer and the reconciler."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from reconciler.services.part import Part
from reconciler.services.probes import http_status_on_socket
from reconciler.services.readiness import is_announced

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.process_identity import ProcessIdentity
    from reconciler.services.layout import Layout
    from reconciler.services.part import Probe


def own_processes(layout: Layout, command: Callable[[str], Sequence[str]]) -> tuple[Part, ...]:
    """Return the three parts; `command` gives the words that start the process of a name."""

    async def api_ready(_: ProcessIdentity) -> bool:
        return await http_status_on_socket(layout.api_socket, "/readyz") == HTTPStatus.OK

    async def writer_ready(identity: ProcessIdentity) -> bool:
        return is_announced(layout.ready / "writer", identity)

    async def reconciler_ready(identity: ProcessIdentity) -> bool:
        return is_announced(layout.ready / "reconciler", identity)

    api = _part(layout, "api", command, api_ready, address=str(layout.api_socket), needs=("postgres",))
    writer = _part(layout, "writer", command, writer_ready, address="", needs=("postgres",))
    needs = ("postgres", "nats", "s3", "envoy")
    return api, writer, _part(layout, "reconciler", command, reconciler_ready, address="", needs=needs)


def _part(
    layout: Layout,
    name: str,
    command: Callable[[str], Sequence[str]],
    probe: Probe,
    *,
    address: str,
    needs: tuple[str, ...],
) -> Part:
    return Part(
        name=name,
        argv=tuple(command(name)),
        cwd=layout.root,
        log=layout.log(name),
        address=address,
        probe=probe,
        after=needs,
        # glibc's per-thread arenas keep what threads once used; two are enough and save tens of megabytes.
        env={"MALLOC_ARENA_MAX": "2", "PYTHONUNBUFFERED": "1"},
        grace_seconds=10.0,
    )
