"""The four embedded parts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.services.envoy import envoy
from reconciler.services.nats import nats
from reconciler.services.postgres import postgres
from reconciler.services.seaweedfs import seaweedfs

if TYPE_CHECKING:
    from reconciler.services.part import Part, Step
    from reconciler.services.settings import Settings


async def embedded_parts(settings: Settings, migrate: Step) -> tuple[Part, ...]:
    """Return Postgres, NATS, S3 and Envoy; `migrate` runs whenever Postgres came up, before who needs it."""
    return (
        replace(await postgres(settings), once_ready=migrate),
        nats(settings),
        seaweedfs(settings),
        envoy(settings),
    )
