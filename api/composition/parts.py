"""The supervisor's view: every process of the platform, and the state repository they stand on."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import uuid4

from api.composition.process import PLATFORM, now
from api.composition.remotes import Remotes, home_address
from intents.documents import of_spec
from intents.kinds import Kind, PlatformSpec
from intents.kinds.cluster import Driver
from intents.reading import read
from intents.tree import PLATFORM_PATH, Tree
from reconciler.drivers.local.isolation import isolation
from reconciler.services.control import StartFailed
from reconciler.services.embedded import embedded_parts
from reconciler.services.layout import Layout
from reconciler.services.own import own_processes
from reconciler.services.part import Part
from reconciler.services.settings import PostgresRole, Settings
from reconciler.services.target import ON_THIS_MACHINE, Target
from reconciler.stores.git.repository import GitRepository
from reconciler.stores.ledger.database import migrate
from reconciler.workers.home_branch import HomeBranch
from reconciler.workers.seeding import seed, tree_of
from reconciler.workers.tree_at_head import advanced

IN_CLUSTER = "KUBERNETES_SERVICE_HOST"
"""Kubernetes tells each of its pods."""
SEEDED_FOLDERS = ("platform", "tenants", "templates")


async def platform_parts(settings: Settings, target: Target = ON_THIS_MACHINE) -> Sequence[Part]:
    """Return every process of the platform at a root, its state repository made and seeded.

    Raises StartFailed where the target is no cluster of this repository, or its credentials are not named.
    """
    await asyncio.to_thread(prepare_repository, settings.layout)
    await asyncio.to_thread(_expect, settings.layout, target)
    owner = settings.postgres_dsn(PostgresRole.OWNER)

    async def migrated() -> None:
        await migrate(owner, await asyncio.to_thread(_history_of, settings.layout))

    def command(name: str) -> Sequence[str]:
        root = ("--root", str(settings.layout.root))
        return (sys.executable, "-m", "api.main", "process", name, *root, *target.words())

    return (*await embedded_parts(settings, migrated), *own_processes(settings.layout, command))


def _expect(layout: Layout, target: Target) -> None:
    """Refuse a target that nothing could be done on."""
    tree = tree_at_head(layout)
    cluster = tree.cluster(target.cluster)
    if cluster is None:
        names = ", ".join(sorted(each.identity.name for each in tree.of_kind(Kind.CLUSTER).values()))
        raise StartFailed(f"there is no Cluster {target.cluster}; there is {names or 'none'}")
    if cluster.spec.driver is Driver.LOCAL and target.kubeconfig:
        raise StartFailed(f"{target.cluster} has the driver local: it needs no kubeconfig")
    if cluster.spec.driver is Driver.KUBERNETES and not target.kubeconfig and IN_CLUSTER not in os.environ:
        raise StartFailed(f"{target.cluster} is on Kubernetes: name its credentials by --kubeconfig FILE")


def prepare_repository(layout: Layout) -> None:
    """Make the state repository where there is none; its main is the forge's, or a first one of the root's folders.

    Raises Waiting or Stalled where the root's platform.yaml names a forge as home that cannot be asked now.
    """
    repository = (
        GitRepository(layout.repository) if layout.repository.exists() else GitRepository.create(layout.repository)
    )
    if repository.head() is not None:
        return
    files = dict(_seed_files(layout.root))
    home = home_address(tree_of(files))
    if home is not None:
        HomeBranch(repository, Remotes(layout).git(home)).settle()
    if repository.head() is None:
        seed(repository, files, uuid4(), PLATFORM, now())


def _history_of(layout: Layout) -> str | None:
    """Return the newest commit of a main that has a history; a first commit is none yet."""
    repository = GitRepository(layout.repository)
    head = repository.head()
    return head if head is not None and repository.info(head).parent is not None else None


def _seed_files(root: Path) -> Iterator[tuple[str, bytes]]:
    for folder in SEEDED_FOLDERS:
        for file in sorted((root / folder).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts and file.parent != root / "templates":
                yield file.relative_to(root).as_posix(), file.read_bytes()


def tree_at_head(layout: Layout) -> Tree:
    """Return the tree at the head of a root's state repository."""
    repository = GitRepository(layout.repository)
    return advanced(repository, Tree.empty(), None, repository.head() or "")


def base_domain(layout: Layout) -> str:
    """Return the platform's base domain at the head of a root's state repository; nothing else is read."""
    repository = GitRepository(layout.repository)
    body = repository.read(repository.head() or "", PLATFORM_PATH)
    document = of_spec(read(PLATFORM_PATH, body or b""), PlatformSpec)
    if document is None:
        raise LookupError(PLATFORM_PATH)
    return document.spec.base_domain


def isolation_of_runs() -> str:
    """Say how far runs are kept from this machine and from each other."""
    return isolation()
