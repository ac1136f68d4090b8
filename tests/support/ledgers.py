"""A real Postgres for the whole test run, and a fresh, migrated database for each test that asks."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
from psycopg import sql

from reconciler.services.postgres import postgres
from reconciler.services.settings import DATABASE, PostgresRole, Settings
from reconciler.stores.ledger.database import Database, migrate
from tests.fixtures.parts import settings_at
from tests.support.servers import Server

MIGRATED = "migrated"


@dataclass
class PostgresServer:
    """One server; databases are copies of a migrated one."""

    settings: Settings
    server: Server
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    @classmethod
    def at(cls, root: Path) -> PostgresServer:
        """Start a server below `root`. Nothing here survives a power cut, so it need not sync."""
        settings = settings_at(root)
        part = asyncio.run(postgres(settings))
        made = cls(settings, Server(replace(part, argv=(*part.argv, "-c", "fsync=off"))))
        made.server.start()
        made._create(MIGRATED)
        asyncio.run(migrate(made.dsn(MIGRATED, PostgresRole.OWNER)))
        return made

    def dsn(self, database: str, role: PostgresRole) -> str:
        """Return the connection URI of a role in a database."""
        return self.settings.postgres_dsn(role).replace(f"/{DATABASE}?", f"/{database}?")

    def fresh(self, *, migrated: bool = True) -> Ledger:
        """Return a new database."""
        name = f"test_{next(self._numbers)}"
        self._create(name, MIGRATED if migrated else "template0")
        return Ledger(self, name)

    def drop(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        self._do(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _create(self, name: str, template: str = "template0") -> None:
        self._do(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))

    def _do(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.settings.postgres_dsn(PostgresRole.OWNER), autocommit=True) as connection:
            connection.execute(statement)


@dataclass
class Ledger:
    """One database."""

    server: PostgresServer
    name: str

    def dsn(self, role: PostgresRole) -> str:
        """Return the connection URI of a role."""
        return self.server.dsn(self.name, role)

    @asynccontextmanager
    async def database(self, role: PostgresRole = PostgresRole.WORKER) -> AsyncIterator[Database]:
        """Open a pool of a role's connections."""
        database = Database(self.dsn(role))
        await database.open()
        try:
            yield database
        finally:
            await database.close()

    def drop(self) -> None:
        """Remove it."""
        self.server.drop(self.name)

    def connect(self, role: PostgresRole = PostgresRole.OWNER) -> psycopg.Connection[tuple[object, ...]]:
        """Open one connection, in autocommit."""
        return psycopg.connect(self.dsn(role), autocommit=True)
