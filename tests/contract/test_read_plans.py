"""Lists and histories are looked up in indexes, as the API's role and under row-level security, on real Postgres."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, LiteralString

import pytest
from psycopg import sql

from intents.names import PLATFORM_TENANT
from reconciler.services.settings import PostgresRole
from reconciler.stores.ledger.events import SQL as EVENTS
from reconciler.stores.ledger.reads import INTENTS, LAST, LAST_SEQUENCE
from tests.support.ledgers import Ledger

pytestmark = [pytest.mark.anyio, pytest.mark.parts]

PATH = "tenants/acme/projects/fraud/runs/2026-11-23/run-1055.yaml"
ROWS = """
INSERT INTO intents (path, tenant, project, kind, name, labels, blob, commit, author, committed_at)
SELECT format('tenants/%s/projects/fraud/runs/2026-11-23/run-%s.yaml', tenant, number), tenant, 'fraud',
       CASE WHEN number % 50 = 0 THEN 'Schedule' ELSE 'Run' END, format('run-%s', number), '{}',
       repeat('b', 40), repeat('c', 40), 'dev', now()
FROM (SELECT number, CASE WHEN number % 2 = 1 THEN 'acme' ELSE format('t-%s', number % 200) END AS tenant
      FROM generate_series(1, 6000) AS number) AS made;
INSERT INTO events (tenant, project, noun, verb, name, commit, data)
SELECT tenant, project, 'run', 'committed', name, commit,
       jsonb_build_object('path', path, 'blob', blob, 'request', version::text)
FROM generate_series(1, 5) AS version, intents;
ANALYZE
"""
"""Half of all is one tenant's."""
PAGE: dict[str, Any] = {"after": "", "until": LAST, "labels": "{}", "name": None, "limit": 100}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    with ledger.connect() as connection:
        connection.execute(ROWS.encode())
    return ledger


async def scans(ledger: Ledger, tenant: str, statement: LiteralString, values: Mapping[str, Any]) -> set[str]:
    """Return how the rows of a statement are found, each way with its index."""
    async with ledger.database(PostgresRole.API) as database, database.transaction(tenant) as connection:
        explained = sql.SQL("EXPLAIN (FORMAT JSON) ") + sql.SQL(statement)
        row = await (await connection.execute(explained, {"tenant": tenant, **values}, prepare=False)).fetchone()
    assert row is not None
    return set(_scans(row["QUERY PLAN"][0]["Plan"]))


def _scans(node: Mapping[str, Any]) -> Iterator[str]:
    if "Scan" in node["Node Type"]:
        yield f"{node['Node Type']} {node.get('Index Name', '')}".strip()
    for each in node.get("Plans", ()):
        yield from _scans(each)


async def test_a_history_is_one_look_into_an_index(filled: Ledger) -> None:
    row = {"path": PATH, "before": LAST_SEQUENCE, "limit": 50}
    assert await scans(filled, "acme", EVENTS["of_path"], row) == {"Index Scan events_by_path"}


@pytest.mark.parametrize(
    ("tenant", "statement", "more", "index"),
    [
        ("acme", "intents", {}, "intents_by_path"),
        ("acme", "intents", {"after": PATH}, "intents_by_path"),
        ("t-8", "intents", {}, "intents_by_path"),
        ("acme", "intents_of_kind", {"kind": "Schedule"}, "intents_by_kind"),
        (PLATFORM_TENANT, "intents_of_platform", {}, "intents_of_platform"),
    ],
)
async def test_a_page_of_a_list_is_a_range_of_an_index(
    filled: Ledger, tenant: str, statement: str, more: Mapping[str, Any], index: str
) -> None:
    found = await scans(filled, tenant, INTENTS[statement], {**PAGE, **more})
    assert any(each.endswith(f"Index Scan {index}") for each in found)
    assert "Seq Scan" not in found, "a small tenant's may be gathered from several indexes, never from the whole table"
