"""Fixtures that several folders of tests use."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.services.seaweedfs import seaweedfs
from reconciler.stores.git.repository import GitRepository
from reconciler.stores.objects.s3 import S3Access
from tests.fixtures.parts import settings_at
from tests.support.ledgers import Ledger, PostgresServer
from tests.support.repositories import seeded_repository
from tests.support.servers import Server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One Postgres for all tests of a run, in a folder short enough for its sockets."""
    root = Path(tempfile.mkdtemp(prefix="ordain-"))
    made = PostgresServer.at(root)
    yield made
    made.server.kill()
    shutil.rmtree(root)


@pytest.fixture(scope="session")
def object_storage() -> Iterator[S3Access]:
    """One S3 for all tests of a run; whoever uses it uses keys of its own."""
    root = Path(tempfile.mkdtemp(prefix="ordain-"))
    settings = settings_at(root)
    server = Server(seaweedfs(settings))
    server.start()
    yield S3Access(settings.s3_endpoint, settings.s3_access_key, settings.s3_secret_key)
    server.kill()
    shutil.rmtree(root)


@pytest.fixture
def ledger(postgres_server: PostgresServer) -> Iterator[Ledger]:
    """Return a fresh database with the newest schema; what is dropped soon is never written to the disk."""
    made = postgres_server.fresh()
    yield made
    made.drop()


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    """Return a fresh state repository with the small tree."""
    return seeded_repository(tmp_path / "state.git")
