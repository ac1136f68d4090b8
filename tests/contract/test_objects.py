"""The Objects port: one suite, in memory and on a real S3."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from reconciler.ports.errors import Waiting
from reconciler.ports.objects import ObjectInfo, Objects
from reconciler.services.seaweedfs import seaweedfs
from reconciler.services.settings import Settings
from reconciler.stores.fake_objects import MemoryObjects
from reconciler.stores.objects.s3 import S3Access, S3Objects
from tests.fixtures.parts import running_part, settings_at

# Above it the client splits a put into parts.
PART_BYTES = 5 << 20

pytestmark = [pytest.mark.anyio, pytest.mark.parts]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def storage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Settings]:
    settings = settings_at(tmp_path_factory.mktemp("s3"))
    async with running_part(seaweedfs(settings)):
        yield settings


def client(settings: Settings) -> S3Objects:
    return S3Objects(S3Access(settings.s3_endpoint, settings.s3_access_key, settings.s3_secret_key))


@pytest.fixture(params=["memory", "s3"])
def objects(request: pytest.FixtureRequest, storage: Settings) -> Objects:
    return MemoryObjects() if request.param == "memory" else client(storage)


@pytest.fixture
def folder() -> str:
    """Return a prefix of one's own: the storage is shared by the module."""
    return f"tests/{uuid4()}"


async def test_what_is_put_is_got(objects: Objects, folder: str) -> None:
    await objects.put("artifacts", f"{folder}/a", b"one")
    assert await objects.get("artifacts", f"{folder}/a") == b"one"
    await objects.put("artifacts", f"{folder}/a", b"two")
    assert await objects.get("artifacts", f"{folder}/a") == b"two"
    await objects.put("artifacts", f"{folder}/empty", b"")
    assert await objects.get("artifacts", f"{folder}/empty") == b""


async def test_buckets_are_apart(objects: Objects, folder: str) -> None:
    await objects.put("artifacts", f"{folder}/a", b"one")
    assert await objects.get("models", f"{folder}/a") is None


async def test_what_is_not_there_is_none(objects: Objects, folder: str) -> None:
    assert await objects.get("records", f"{folder}/none") is None
    assert await objects.list("records", f"{folder}/") == ()


async def test_creating_never_replaces(objects: Objects, folder: str) -> None:
    assert await objects.create("models", f"{folder}/a", b"one")
    assert not await objects.create("models", f"{folder}/a", b"two")
    assert await objects.get("models", f"{folder}/a") == b"one"


async def test_one_of_many_creators_wins(objects: Objects, folder: str) -> None:
    bodies = [str(number).encode() for number in range(8)]
    stored = await asyncio.gather(*(objects.create("models", f"{folder}/a", body) for body in bodies))
    assert stored.count(True) == 1
    assert await objects.get("models", f"{folder}/a") == bodies[stored.index(True)]


async def test_a_listing_is_everything_below_the_prefix_by_key(objects: Objects, folder: str) -> None:
    for key, body in {"m/b": b"22", "m/a/1": b"1", "m/a/2": b"", "mm": b"333", "n": b"4"}.items():
        await objects.put("models", f"{folder}/{key}", body)
    assert await objects.list("models", f"{folder}/m/") == (
        ObjectInfo(f"{folder}/m/a/1", 1),
        ObjectInfo(f"{folder}/m/a/2", 0),
        ObjectInfo(f"{folder}/m/b", 2),
    )
    assert [info.key for info in await objects.list("models", f"{folder}/m")] == [
        f"{folder}/m/a/1",
        f"{folder}/m/a/2",
        f"{folder}/m/b",
        f"{folder}/mm",
    ]


async def test_keys_keep_every_character(objects: Objects, folder: str) -> None:
    for name in ("with space", "ümlaut", "a+b", "100%", "q?x=1&y", "sha256:0a", "日本"):
        await objects.put("artifacts", f"{folder}/{name}", name.encode())
        assert await objects.get("artifacts", f"{folder}/{name}") == name.encode()
        assert f"{folder}/{name}" in [info.key for info in await objects.list("artifacts", f"{folder}/")]


async def test_large_bodies_arrive_whole(objects: Objects, folder: str) -> None:
    body = os.urandom(2 * PART_BYTES + 1)
    await objects.put("artifacts", f"{folder}/large", body)
    assert await objects.get("artifacts", f"{folder}/large") == body
    assert await objects.create("models", f"{folder}/large", body)
    assert await objects.get("models", f"{folder}/large") == body


async def test_a_storage_that_is_away_is_waited_for(storage: Settings) -> None:
    nobody = S3Objects(S3Access("http://127.0.0.1:9", "key", "secret"))
    with pytest.raises(Waiting, match=r"127\.0\.0\.1:9"):
        await nobody.get("models", "a")
    stranger = S3Objects(S3Access(storage.s3_endpoint, storage.s3_access_key, "wrong"))
    with pytest.raises(Waiting, match="models"):
        await stranger.put("models", "a", b"")
