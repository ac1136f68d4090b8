"""The write path on real parts: Postgres with fsync, Envoy, the API and the writer, on a generated repository.

Nothing that acts on intents runs: what is measured is the way from a request to its durable commit and its answer.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import psutil

from intents.tree import Tree
from reconciler.drivers.local.edge import EdgePerson, EnvoyEdge
from reconciler.planning.serving import edge_config
from reconciler.ports.repository import MAIN, NewCommit, Signature
from reconciler.services.envoy import envoy
from reconciler.services.own import own_processes
from reconciler.services.part import Part
from reconciler.services.postgres import postgres
from reconciler.services.settings import PostgresRole, Settings
from reconciler.stores.git.repository import GitRepository
from reconciler.stores.ledger.database import migrate
from reconciler.workers.tree_at_head import advanced
from tests.bench.repository import generate
from tests.fixtures.parts import settings_at
from tests.support.servers import Server

WHO = Signature("ordain", "ordain@localhost")
PERSON = "ana@example.com"
"""An admin of every generated tenant."""


@dataclass
class WritePath:
    """The parts at one root; those that were started are ended with it."""

    settings: Settings
    repository: GitRepository
    servers: dict[str, Server] = field(default_factory=dict)

    def start_postgres(self) -> None:
        """Start Postgres as the platform does, and bring its schema up to date."""
        owner = self.settings.postgres_dsn(PostgresRole.OWNER)

        async def migrated() -> None:
            await migrate(owner)

        self._start(replace(asyncio.run(postgres(self.settings)), once_ready=migrated))

    def start_writer(self) -> None:
        """Start the writer; it is ready once it has projected the repository."""
        self._start(self._own("writer"))

    def start_api(self, tree: Tree) -> None:
        """Start the API and, in front of it, Envoy with the hosts of the tree's tenants."""
        self._start(self._own("api"))
        self._start(envoy(self.settings))
        asyncio.run(self._publish(tree))

    def end(self) -> None:
        """End every part."""
        for server in reversed(self.servers.values()):
            server.kill()

    def tree(self) -> Tree:
        """Return the tree at head."""
        return advanced(self.repository, Tree.empty(), None, self.repository.head() or "")

    def cpu_seconds(self) -> float:
        """Return the CPU time that all parts and all they started have used."""
        return sum(_cpu_seconds(server.pid) for server in self.servers.values())

    def _start(self, part: Part) -> None:
        server = Server(part)
        self.servers[part.name] = server
        server.start()

    def _own(self, name: str) -> Part:
        layout = self.settings.layout

        def command(process: str) -> Sequence[str]:
            return (sys.executable, "-m", "api.main", "process", process, "--root", str(layout.root))

        return next(part for part in own_processes(layout, command) if part.name == name)

    async def _publish(self, tree: Tree) -> None:
        layout = self.settings.layout
        person = EdgePerson(user=PERSON, email=PERSON)
        edge = EnvoyEdge(layout.envoy_rds, layout.envoy_cds, layout.envoy_admin_socket, layout.api_socket, person)
        await edge.publish(edge_config(tree, ()))
        await edge.close()


@contextmanager
def write_path(size: int) -> Iterator[WritePath]:
    """Make a repository of `size` intents and start Postgres beside it; end and remove everything after the body."""
    root = Path(tempfile.mkdtemp(prefix="ordain-"))  # short: unix sockets lie in it
    made = WritePath(settings_at(root), generated_repository(root / ".ordain" / "state.git", size))
    try:
        made.start_postgres()
        yield made
    finally:
        made.end()
        shutil.rmtree(root)


def generated_repository(path: Path, size: int) -> GitRepository:
    """Create a repository whose main is one commit of `size` intents."""
    repository = GitRepository.create(path)
    seed = NewCommit(WHO, WHO, datetime.now(UTC), "Seed\n", generate(size))
    repository.move(MAIN, None, repository.append("seed", None, [seed])[-1])
    return repository


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, of its living descendants, and of those that it has waited for."""
    process = psutil.Process(pid)
    return sum(_own_seconds(each) for each in (process, *process.children(recursive=True)))


def _own_seconds(process: psutil.Process) -> float:
    """Return what a process and those that it has waited for took; nothing for one that has just ended."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system + times.children_user + times.children_system
