"""S3 by SeaweedFS, all its servers in one process on loopback ports."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.services.commands import program
from reconciler.services.files import write_document
from reconciler.services.part import Part
from reconciler.services.probes import http_status_on_port, s3_presigned
from reconciler.services.settings import GRPC_OFFSET, HOST

if TYPE_CHECKING:
    from typing import Any

    from reconciler.process_identity import ProcessIdentity
    from reconciler.services.settings import Ports, Settings

BUCKETS = ("artifacts", "models", "records")
# Its own guess is a hundredth of the disk; a volume file grows to this and another is begun.
_VOLUME_MEGABYTES = 1024
# Its own count is the free space by the size of a volume: none with less than 1 GB free, and then nothing is stored.
_VOLUMES = 1000
_START_MARK = f"{BUCKETS[-1]}/started"
_WRITABLE_SECONDS = 30.0
_AGAIN_SECONDS = 0.05


def seaweedfs(settings: Settings) -> Part:
    layout = settings.layout
    data = layout.s3 / "data"

    async def prepare() -> None:
        data.mkdir(mode=0o700, exist_ok=True)
        (data / "mini.options").unlink(missing_ok=True)  # it remembers ports, over the ones given
        write_document(layout.s3 / "identities.json", _identities(settings))
        (layout.s3 / "filer.toml").write_text(_filer_store(layout.s3 / "names"), encoding="utf-8")

    async def probe(_: ProcessIdentity) -> bool:
        # The last bucket is made last, after everything else is up.
        target = s3_presigned("HEAD", BUCKETS[-1], settings.s3_access_key, settings.s3_secret_key)
        return await http_status_on_port(HOST, settings.ports.s3, target, "HEAD") == HTTPStatus.OK

    return Part(
        name="s3",
        argv=(str(program("weed")), "-logtostderr", "mini", *_options(settings, data)),
        cwd=layout.s3,
        log=layout.log("s3"),
        address=settings.s3_endpoint,
        probe=probe,
        prepare=prepare,
        once_ready=partial(_becomes_writable, settings),
        env=_environment(settings),
        litter=_sockets_outside(settings),
    )


async def _becomes_writable(settings: Settings) -> None:
    """Return once an object could be stored, which is once the volumes are known again, those of older objects too.

    A volume server that asks its master before that leads asks again after 5 s, and every object is answered by 500
    or not at all until then: in 11 of 29 starts on a busy machine, for 5 to 15 s, while masters resumed their state.
    In none of 29 since. Raises TimeoutError.
    """
    async with asyncio.timeout(_WRITABLE_SECONDS):
        while not await _writable(settings):
            await asyncio.sleep(_AGAIN_SECONDS)


async def _writable(settings: Settings) -> bool:
    target = s3_presigned("PUT", _START_MARK, settings.s3_access_key, settings.s3_secret_key)
    try:
        return await http_status_on_port(HOST, settings.ports.s3, target, "PUT", b"started") == HTTPStatus.OK
    except OSError:
        return False


def _servers(ports: Ports) -> dict[str, int]:
    return {
        "s3": ports.s3,
        "master": ports.s3_master,
        "volume": ports.s3_volume,
        "filer": ports.s3_filer,
        "admin": ports.s3_admin,
    }


def _options(settings: Settings, data: Path) -> list[str]:
    servers = _servers(settings.ports)
    listening = [f"-{name}.port={port}" for name, port in servers.items()]
    listening += [f"-{name}.port.grpc={port + GRPC_OFFSET}" for name, port in servers.items()]
    return [
        f"-dir={data}",
        f"-ip={HOST}",
        f"-ip.bind={HOST}",
        *listening,
        f"-s3.localSocket={settings.layout.sockets / 's3.sock'}",
        f"-filer.localSocket={settings.layout.sockets / 'filer.sock'}",
        f"-s3.config={settings.layout.s3 / 'identities.json'}",
        f"-bucket={','.join(BUCKETS)}",
        f"-master.volumeSizeLimitMB={_VOLUME_MEGABYTES}",
        f"-volume.max={_VOLUMES}",
        "-volume.preStopSeconds=0",  # for other servers to take over; there is none
        "-master.telemetry=false",
        "-master.resumeState=false",  # as `weed master` does; a resumed master leads too late, see _becomes_writable
        "-disableHttp=true",  # master and filer ask nobody for a password over HTTP; S3 does
        "-webdav=false",
        "-admin.ui=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
    ]


def _environment(settings: Settings) -> dict[str, str]:
    """Keys between its own servers (security.toml's, as variables) and bounds for the garbage collector."""
    names = ("SIGNING_KEY", "SIGNING_READ_KEY", "FILER_SIGNING_KEY", "FILER_SIGNING_READ_KEY")
    memory = {"GOMEMLIMIT": "200MiB", "GOGC": "50"}
    return memory | {f"WEED_JWT_{name}": settings.secrets.s3_internal for name in names}


def _filer_store(folder: Path) -> str:
    """Return the filer's configuration, which it reads in its working directory: objects' names in one LevelDB.

    By default there are eight, with 231 MB of buffers: the part takes 209 to 235 MB (PSS) after some use and a restart,
    and 158 to 167 MB with one.
    """
    return f"[leveldb]\nenabled = true\ndir = {json.dumps(str(folder), ensure_ascii=False)}\n"


def _identities(settings: Settings) -> dict[str, Any]:
    key = {"accessKey": settings.s3_access_key, "secretKey": settings.s3_secret_key}
    return {"identities": [{"name": "platform", "credentials": [key], "actions": ["Admin"]}]}


def _sockets_outside(settings: Settings) -> tuple[Path, ...]:
    """Return the sockets whose place SeaweedFS fixes, named after gRPC ports; a killed one leaves them."""
    return tuple(
        Path(f"/tmp/seaweedfs-{name}-grpc-{port + GRPC_OFFSET}.sock")  # noqa: S108 - its choice
        for name, port in _servers(settings.ports).items()
    )
