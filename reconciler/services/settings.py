"""The ports and secrets of one platform: chosen when it first comes up, kept for every later time."""

from __future__ import annotations

import random
import secrets
import socket
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from reconciler.services.files import read_document, write_document
from reconciler.services.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

HOST = "127.0.0.1"
# SeaweedFS wants gRPC at HTTP + 10000; with both below 32768, where Linux begins to hand out ports to
# outgoing connections, nobody takes a port while the platform is down except another server.
GRPC_OFFSET = 10_000
_PORTS = range(10_000, 22_000)
_ATTEMPTS = 1000
DATABASE = "ordain"


class NotSetUp(Exception):
    """The root has no settings yet: `ordain up` makes them."""


class PostgresRole(StrEnum):
    """Who connects: the owner migrates, the API sees one tenant a transaction, workers see all."""

    OWNER = "ordain_owner"
    API = "ordain_api"
    WORKER = "ordain_worker"


@dataclass(frozen=True)
class Ports:
    """Loopback ports. Those of SeaweedFS stand for two: gRPC listens `GRPC_OFFSET` above."""

    edge: int
    nats: int
    nats_monitor: int
    s3: int
    s3_master: int
    s3_volume: int
    s3_filer: int
    s3_admin: int


@dataclass(frozen=True)
class Secrets:
    """What only the platform's own processes know."""

    postgres_owner: str = field(repr=False)
    postgres_api: str = field(repr=False)
    postgres_worker: str = field(repr=False)
    nats: str = field(repr=False)
    s3_access: str = field(repr=False)
    s3_secret: str = field(repr=False)
    s3_internal: str = field(repr=False)


@dataclass(frozen=True)
class Settings:
    """Where every part of the platform at a root is reached, and how."""

    layout: Layout
    ports: Ports
    secrets: Secrets

    @classmethod
    def load(cls, layout: Layout) -> Self:
        """Return the settings `prepare` wrote; raises NotSetUp before that."""
        document = read_document(layout.settings)
        if document is None:
            raise NotSetUp(f"{layout.root} has no platform yet; start one with `ordain up`")
        return cls(layout, Ports(**document["ports"]), Secrets(**document["secrets"]))

    @classmethod
    def prepare(cls, layout: Layout, say: Callable[[str], None]) -> Self:
        """Return the settings for a platform about to start, chosen anew where there are none.

        A port that somebody else listens on by now is replaced, and said so. Call it only while no
        part of this platform runs.
        """
        try:
            settings = cls.load(layout)
        except NotSetUp:
            settings = cls(layout, Ports(**_choose(_port_names())), _new_secrets())
        else:
            settings = replace(settings, ports=_with_free_ports(settings.ports, say))
        write_document(layout.settings, {"ports": asdict(settings.ports), "secrets": asdict(settings.secrets)})
        return settings

    def postgres_dsn(self, role: PostgresRole) -> str:
        """Return the connection URI of a role, over the unix socket."""
        folder = quote(str(self.layout.postgres_sockets), safe="")
        return f"postgresql://{role}:{self.postgres_password(role)}@/{DATABASE}?host={folder}"

    def postgres_password(self, role: PostgresRole) -> str:
        passwords = {
            PostgresRole.OWNER: self.secrets.postgres_owner,
            PostgresRole.API: self.secrets.postgres_api,
            PostgresRole.WORKER: self.secrets.postgres_worker,
        }
        return passwords[role]

    @property
    def nats_url(self) -> str:
        return f"nats://ordain:{self.secrets.nats}@{HOST}:{self.ports.nats}"

    @property
    def s3_endpoint(self) -> str:
        return f"http://{HOST}:{self.ports.s3}"

    @property
    def s3_access_key(self) -> str:
        return self.secrets.s3_access

    @property
    def s3_secret_key(self) -> str:
        return self.secrets.s3_secret

    @property
    def edge_port(self) -> int:
        return self.ports.edge

    @property
    def api_socket(self) -> Path:
        return self.layout.api_socket

    @property
    def envoy_admin_socket(self) -> Path:
        return self.layout.envoy_admin_socket


def port_is_free(port: int) -> bool:
    """Say whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _port_names() -> list[str]:
    return [each.name for each in fields(Ports)]


def _with_free_ports(ports: Ports, say: Callable[[str], None]) -> Ports:
    taken = [name for name, port in asdict(ports).items() if not _usable(name, port)]
    chosen = _choose(taken, besides=asdict(ports).values())
    for name, port in chosen.items():
        say(f"port {getattr(ports, name)} ({name}) is taken by another program; {port} is used from now on")
    return replace(ports, **chosen)


def _choose(names: Collection[str], besides: Collection[int] = ()) -> dict[str, int]:
    """Return a free port for each name: random, so that two platforms on one machine rarely meet."""
    chosen: dict[str, int] = {}
    dice = random.SystemRandom()
    for name in names:
        for _ in range(_ATTEMPTS):
            port = dice.choice(_PORTS)
            if port not in chosen.values() and port not in besides and _usable(name, port):
                chosen[name] = port
                break
        else:
            raise RuntimeError(f"found no free loopback port in {_ATTEMPTS} attempts for {name}")
    return chosen


def _usable(name: str, port: int) -> bool:
    return port_is_free(port) and (not name.startswith("s3") or port_is_free(port + GRPC_OFFSET))


def _new_secrets() -> Secrets:
    values: dict[str, Any] = {each.name: secrets.token_hex(24) for each in fields(Secrets)}
    return Secrets(**values)
