"""NATS with JetStream, on one loopback port with a password."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from reconciler.services.commands import program
from reconciler.services.files import write_document
from reconciler.services.part import Part
from reconciler.services.probes import http_status_on_port
from reconciler.services.settings import HOST

if TYPE_CHECKING:
    from typing import Any

    from reconciler.process_identity import ProcessIdentity
    from reconciler.services.settings import Settings


def nats(settings: Settings) -> Part:
    layout = settings.layout
    configuration = layout.nats / "nats.json"

    async def prepare() -> None:
        write_document(configuration, _configuration(settings))

    async def probe(_: ProcessIdentity) -> bool:
        return await http_status_on_port(HOST, settings.ports.nats_monitor, "/healthz") == HTTPStatus.OK

    return Part(
        name="nats",
        argv=(str(program("nats-server")), "--config", str(configuration)),
        cwd=layout.nats,
        log=layout.log("nats"),
        address=f"nats://{HOST}:{settings.ports.nats}",
        probe=probe,
        prepare=prepare,
        env={"GOMEMLIMIT": "64MiB"},
    )


def _configuration(settings: Settings) -> dict[str, Any]:
    """JSON is a subset of NATS's own format."""
    return {
        "server_name": "ordain",
        "listen": f"{HOST}:{settings.ports.nats}",
        "http": f"{HOST}:{settings.ports.nats_monitor}",
        "authorization": {"user": "ordain", "password": settings.secrets.nats},
        "jetstream": {
            "store_dir": str(settings.layout.nats / "store"),
            # Events are facts of Postgres and published again from there; a second of them may be lost here.
            "sync_interval": "1s",
            "max_memory_store": 32 << 20,
            "max_file_store": 2 << 30,
        },
    }
