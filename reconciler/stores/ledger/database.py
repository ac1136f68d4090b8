"""Connections, named statements and migrations."""

from __future__ import annotations

import re
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, LiteralString, cast

import psycopg
from psycopg import sql
from psycopg.errors import IdleInTransactionSessionTimeout
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from reconciler.ports.errors import Waiting

HERE = Path(__file__).parent
CONNECT_SECONDS = 5
STATEMENT_MILLISECONDS = 30_000
IDLE_MILLISECONDS = 60_000
"""After which a transaction falls that nobody goes on with: a process that was stopped would keep its rows locked."""

Connection = psycopg.AsyncConnection[DictRow]

_BEGIN_AS = sql.SQL("BEGIN; SET LOCAL ordain.tenant = {}")


@cache
def statements(file: str) -> dict[str, LiteralString]:
    """Return the statements of sql/<file>.sql by the name in their `-- name:` comment."""
    text = (HERE / "sql" / f"{file}.sql").read_text()
    parts = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)[1:]
    return {name: cast("LiteralString", body) for name, body in zip(parts[::2], parts[1::2], strict=True)}


class Database:
    """A pool of connections of one role."""

    def __init__(self, dsn: str, *, size: int = 4) -> None:
        """Prepare the pool; `open` connects."""
        self.dsn = dsn
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            dsn,
            connection_class=psycopg.AsyncConnection[DictRow],
            min_size=1,
            max_size=size,
            timeout=CONNECT_SECONDS,
            open=False,
            check=_is_alive,
            kwargs={
                "row_factory": dict_row,
                "options": f"-c statement_timeout={STATEMENT_MILLISECONDS} "
                f"-c idle_in_transaction_session_timeout={IDLE_MILLISECONDS}",
                "autocommit": True,
            },
        )

    async def open(self) -> None:
        """Begin to connect; does not wait for the first connection."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    @asynccontextmanager
    async def transaction(self, tenant: str | None = None) -> AsyncIterator[Connection]:
        """Lend a connection inside one transaction, seeing one tenant's rows where the role is bound to that.

        Raises Waiting when the database cannot be reached now.
        """
        try:
            # The pool commits what is in order when it gets the connection back, and rolls back what is not.
            async with self._pool.connection() as connection:
                await connection.execute("BEGIN" if tenant is None else _BEGIN_AS.format(sql.Literal(tenant)))
                yield connection
        except (psycopg.OperationalError, IdleInTransactionSessionTimeout, PoolTimeout) as error:
            raise Waiting(f"Postgres: {error}") from error

    async def dedicated(self) -> Connection:
        """Open a connection of its own, outside the pool; the caller closes it."""
        try:
            return await psycopg.AsyncConnection.connect(self.dsn, autocommit=True, row_factory=dict_row)
        except psycopg.OperationalError as error:
            raise Waiting(f"Postgres: {error}") from error

    async def listen(self, channel: str) -> AsyncIterator[str]:
        """Yield the payload of each notification on a channel; ends with Waiting when the connection does."""
        connection = await self.dedicated()
        try:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            async for notice in connection.notifies():
                yield notice.payload
        except psycopg.OperationalError as error:
            raise Waiting(f"Postgres: {error}") from error
        finally:
            await connection.close()


async def _is_alive(connection: Connection) -> None:
    """Raise OperationalError for a connection whose server is gone: a killed one leaves them in the pool.

    Between transactions a server says nothing, so one that said something, or that hung up, is asked; asking each time
    took a fifth of a short transaction.
    """
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if waiting.poll(0):
        await AsyncConnectionPool.check_connection(connection)


async def migrate(dsn: str, found: str | None = None) -> list[str]:
    """Bring the schema to the newest version, each migration in its own transaction; return those applied.

    A new ledger remembers `found`, the newest commit of a history that is older than it.
    """
    applied: list[str] = []
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute("SELECT pg_advisory_lock(hashtext('ordain-migrations'))")
        await connection.execute("CREATE TABLE IF NOT EXISTS schema_migrations (name text PRIMARY KEY)")
        done = {row[0] for row in await (await connection.execute("SELECT name FROM schema_migrations")).fetchall()}
        for file in sorted((HERE / "migrations").glob("*.sql")):
            if file.stem in done:
                continue
            async with connection.transaction():
                await connection.execute(cast("Any", file.read_text()))
                await connection.execute("INSERT INTO schema_migrations VALUES (%s)", (file.stem,))
                if found is not None and not done and not applied:
                    await connection.execute("INSERT INTO cursors (name, commit) VALUES ('found', %s)", (found,))
            applied.append(file.stem)
    return applied
