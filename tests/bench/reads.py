"""What reads of the projection cost among 100,000 intents and a million events: lists and histories."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import psycopg
from rich.table import Table

from intents.names import PLATFORM_TENANT
from reconciler.ports.reads import IntentFilter
from reconciler.services.settings import PostgresRole
from reconciler.stores.ledger.database import Database
from reconciler.stores.ledger.reads import LedgerReads
from tests.bench.tables import percentiles, table
from tests.support.ledgers import Ledger, PostgresServer

INTENTS, VERSIONS = 100_000, 10
TIMES = 100
PATH = "tenants/acme/projects/p-5/runs/2026-11-05/run-1055.yaml"
# One tenant has half of all; one intent in a hundred has the label.
_INTENTS = """
INSERT INTO intents (path, tenant, project, kind, name, labels, blob, commit, author, committed_at)
SELECT format('tenants/%s/projects/p-%s/%s', tenant, number % 10,
              CASE WHEN number % 20 = 0 THEN format('schedules/schedule-%s.yaml', number)
                   ELSE format('runs/2026-11-%s/run-%s.yaml', lpad((1 + number / 10 % 28)::text, 2, '0'), number) END),
       tenant, format('p-%s', number % 10), CASE WHEN number % 20 = 0 THEN 'Schedule' ELSE 'Run' END,
       format('run-%s', number), CASE WHEN number % 100 = 0 THEN '{"team": "risk"}'::jsonb ELSE '{}' END,
       repeat('b', 40), repeat('c', 40), 'dev', now()
FROM (SELECT number, CASE WHEN number % 2 = 1 THEN 'acme' ELSE format('t-%s', number % 200) END AS tenant
      FROM generate_series(1, %(intents)s) AS number) AS made
"""
_EVENTS = """
INSERT INTO events (tenant, project, noun, verb, name, commit, data)
SELECT tenant, project, 'run', 'committed', name, commit,
       jsonb_build_object('path', path, 'blob', blob, 'request', version::text)
FROM generate_series(1, %(versions)s) AS version, intents
"""


def tables(folder: Path) -> Iterator[Table]:
    """Measure reads, and leave nothing running."""
    server = PostgresServer.at(folder)
    try:
        ledger = server.fresh()
        with ledger.connect() as connection:
            _fill(connection)
        yield asyncio.run(_measured(ledger))
    finally:
        server.server.kill()


def _fill(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    connection.execute(_INTENTS.replace("%s", "%%s").replace("% ", "%% ").encode(), {"intents": INTENTS})
    connection.execute(_EVENTS, {"versions": VERSIONS})
    connection.execute("ANALYZE")


async def _measured(ledger: Ledger) -> Table:
    found = table(f"reads among {INTENTS} intents with {VERSIONS} versions each", "what", "p50", "p99")
    database = Database(ledger.dsn(PostgresRole.API))
    await database.open()
    acme, platform = LedgerReads(database, "acme"), LedgerReads(database, PLATFORM_TENANT)
    folder = "tenants/acme/projects/p-5/"
    middle = IntentFilter(100, f"{folder}runs/2026-11-14", folder)
    asked: dict[str, Callable[[], Awaitable[object]]] = {
        "first page of 100": lambda: acme.intents(IntentFilter(100)),
        "page from the middle of a project": lambda: acme.intents(middle),
        "page of one kind": lambda: acme.intents(IntentFilter(100, kind="Run")),
        "page of a kind there is none of": lambda: acme.intents(IntentFilter(100, kind="TrainingJob")),
        "page of a label": lambda: acme.intents(IntentFilter(100, labels={"team": "risk"})),
        "the platform's own": lambda: platform.intents(IntentFilter(100)),
        "history of one intent": lambda: acme.history(PATH, 50, None),
    }
    for what, read in asked.items():
        found.add_row(what, *percentiles([await _seconds(read) for _ in range(TIMES)]))
    await database.close()
    return found


async def _seconds(read: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await read()
    return time.perf_counter() - began
