"""Objects on any S3: SeaweedFS on one machine, a provider's S3 on a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import S3Store

from reconciler.ports.errors import Waiting
from reconciler.ports.objects import ObjectInfo

T = TypeVar("T")


@dataclass(frozen=True)
class S3Access:
    """Where an S3 is, and as whom to talk to it."""

    endpoint: str
    """Such as `http://127.0.0.1:8333`; buckets are addressed by path."""
    access_key: str
    secret_key: str = field(repr=False)
    region: str = "us-east-1"


class S3Objects:
    """Implements `Objects`. Every call is bounded; a storage that cannot be reached raises `Waiting`.

    Durability is the server's; synced.py adds it where a server answers too early.
    """

    def __init__(self, access: S3Access, timeout: timedelta = timedelta(seconds=60)) -> None:
        self._access = access
        self._timeout = timeout
        self._stores: dict[str, S3Store] = {}

    async def put(self, bucket: str, key: str, body: bytes) -> None:
        """Store `body`, replacing what was there."""
        await self._bounded(lambda: obstore.put_async(self._store(bucket), key, body), bucket, key)

    async def create(self, bucket: str, key: str, body: bytes) -> bool:
        """Store `body` unless the key exists (If-None-Match); return whether this call stored it."""
        try:
            await self._bounded(
                lambda: obstore.put_async(self._store(bucket), key, body, mode="create", use_multipart=False),
                bucket,
                key,
            )
        except (AlreadyExistsError, PreconditionError):
            return False
        return True

    async def get(self, bucket: str, key: str) -> bytes | None:
        """Return the object's bytes, or None where there is none."""
        return await self._bounded(lambda: self._read(bucket, key), bucket, key)

    async def list(self, bucket: str, prefix: str) -> tuple[ObjectInfo, ...]:
        """Return all objects whose key starts with `prefix`, by key."""
        return await self._bounded(lambda: self._list(bucket, prefix), bucket, prefix)

    async def _read(self, bucket: str, key: str) -> bytes | None:
        try:
            found = await obstore.get_async(self._store(bucket), key)
        except FileNotFoundError:
            return None
        return bytes(await found.bytes_async())

    async def _list(self, bucket: str, prefix: str) -> tuple[ObjectInfo, ...]:
        # obstore lists by whole path segments: ask for the folder, then keep what really starts with the prefix.
        folder = prefix.rpartition("/")[0]
        chunks = obstore.list(self._store(bucket), folder or None)
        found = [ObjectInfo(meta["path"], meta["size"]) async for chunk in chunks for meta in chunk]
        return tuple(sorted((info for info in found if info.key.startswith(prefix)), key=lambda info: info.key))

    def _store(self, bucket: str) -> S3Store:
        if bucket not in self._stores:
            self._stores[bucket] = S3Store(
                bucket,
                endpoint=self._access.endpoint,
                access_key_id=self._access.access_key,
                secret_access_key=self._access.secret_key,
                region=self._access.region,
                virtual_hosted_style_request=False,
                client_options={
                    "allow_http": True,
                    "connect_timeout": timedelta(seconds=2),
                    "timeout": self._timeout,
                },
                retry_config={"max_retries": 2, "retry_timeout": self._timeout},
            )
        return self._stores[bucket]

    async def _bounded(self, call: Callable[[], Awaitable[T]], bucket: str, key: str) -> T:
        """Await `call` for at most the time-out; what is no answer becomes `Waiting`."""
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                return await call()
        except (AlreadyExistsError, PreconditionError):
            raise
        except (BaseError, TimeoutError, OSError) as error:
            brief = (str(error) or type(error).__name__).splitlines()[0][:300]
            raise Waiting(f"object storage at {self._access.endpoint}, s3://{bucket}/{key}: {brief}") from error
