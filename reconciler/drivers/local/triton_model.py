"""The model repository of one server: fetched from object storage, verified, and checked for code.

Nothing here starts anything. What a person must put right raises `Stalled`.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from intents.models import FileEntry, files_digest
from reconciler.planning.observations import ServerSpec
from reconciler.ports.errors import Stalled, Waiting
from reconciler.ports.objects import Objects

SERVED_BACKEND = "onnxruntime"
SERVED_PLATFORM = "onnxruntime_onnx"
_FILES_NAMED = 5
_CHUNK = 1 << 20


async def ensure_model(objects: Objects, spec: ServerSpec, repository: Path) -> None:
    """Make `repository` hold exactly the bytes of `spec.digest`, and nothing that would run as code.

    Fetches beside it and renames, so a half-fetched repository never has the name; what is already there
    is hashed again each time. Raises `Stalled` where the stored bytes are others or may not be served.
    """
    if await asyncio.to_thread(_digest_on_disk, repository) != spec.digest:
        await _fetch(objects, spec, repository)
    await asyncio.to_thread(refuse_code, repository, spec.model)


async def _fetch(objects: Objects, spec: ServerSpec, repository: Path) -> None:
    incoming = repository.with_name(repository.name + ".incoming")
    await asyncio.to_thread(shutil.rmtree, incoming, ignore_errors=True)
    await _download(objects, spec.storage_uri, incoming)
    files = await asyncio.to_thread(hash_files, incoming)
    if files_digest(files) != spec.digest:
        await asyncio.to_thread(shutil.rmtree, incoming)
        raise Stalled(_mismatch(spec, files))
    await asyncio.to_thread(_replace, incoming, repository)


async def _download(objects: Objects, storage_uri: str, target: Path) -> None:
    bucket, prefix = split_uri(storage_uri)
    infos = await objects.list(bucket, prefix)
    if not infos:
        raise Stalled(
            f"{storage_uri} holds no files: the model's bytes are not in object storage. Register the model again, "
            "or deploy a version whose bytes are there."
        )
    for info in infos:
        body = await objects.get(bucket, info.key)
        if body is None:
            raise Waiting(f"s3://{bucket}/{info.key} went away while the model was fetched")
        await asyncio.to_thread(_write, target / _safe(info.key.removeprefix(prefix)), body)


def split_uri(uri: str) -> tuple[str, str]:
    """Return bucket and prefix of `s3://<bucket>/<prefix>/`; the prefix ends in a slash."""
    scheme, separator, rest = uri.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not separator or not bucket or not prefix.strip("/"):
        raise Stalled(f"storage URI {uri!r} is not of the form s3://<bucket>/<prefix>/")
    return bucket, prefix.rstrip("/") + "/"


def _safe(path: str) -> PurePosixPath:
    """Return the path below the repository; a key that would lead out of it is refused."""
    if any(part in {"", ".", ".."} for part in path.split("/")) or "\\" in path:
        raise Stalled(f"the stored model has a file named {path!r}, which is no path below its repository")
    return PurePosixPath(path)


def _write(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def _replace(incoming: Path, repository: Path) -> None:
    """Give the fetched folder its name. Its bytes are hashed again before each start, so a torn one is refetched."""
    shutil.rmtree(repository, ignore_errors=True)
    incoming.rename(repository)


def hash_files(folder: Path) -> tuple[FileEntry, ...]:
    """Return every file below `folder`, by path; links are refused, they would not be the stored bytes."""
    found = sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    links = [path for path in found if path.is_symlink()]
    if links:
        raise Stalled(f"{links[0]} is a link; a model repository holds files only")
    return tuple(_hash(folder, path) for path in found)


def _hash(folder: Path, path: Path) -> FileEntry:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
        return FileEntry(path.relative_to(folder).as_posix(), file.tell(), digest.hexdigest())


def _digest_on_disk(repository: Path) -> str | None:
    return files_digest(hash_files(repository)) if repository.is_dir() else None


def _mismatch(spec: ServerSpec, files: Sequence[FileEntry]) -> str:
    listed = [f"{file.path} ({file.size} bytes, sha256 {file.sha256})" for file in files[:_FILES_NAMED]]
    more = [f"and {len(files) - _FILES_NAMED} more"] if len(files) > _FILES_NAMED else []
    return (
        f"the bytes at {spec.storage_uri} are not those of the model version: wanted {spec.digest}, found "
        f"{files_digest(files)} in {', '.join(listed + more)}. Not served. Compare with the files of the ModelVersion "
        "and restore the stored objects, or deploy another version."
    )


def refuse_code(repository: Path, model: str) -> None:
    """Raise `Stalled` unless the repository is one ONNX model that brings no code into the server.

    Triton looks for a backend's code in the model's own folders too, and its python backend takes a whole
    environment, with an activate script, from the parameter EXECUTION_ENV_PATH.
    """
    folders = sorted(path.name for path in repository.iterdir())
    if folders != [model]:
        raise Stalled(f"the model repository must hold the one folder {model!r}, and holds {', '.join(folders)}")
    for path in sorted(repository.rglob("*")):
        if path.suffix in {".py", ".pyc", ".so"} or ".so." in path.name:
            name = path.relative_to(repository)
            raise Stalled(
                f"{name} is code, and a tenant's model may not bring code into the server. Export it to ONNX."
            )
    _refuse_config(repository / model / "config.pbtxt", model)


def _refuse_config(path: Path, model: str) -> None:
    name = f"{model}/config.pbtxt"
    config = _parse_config(path, name)
    backend = (config.backend or SERVED_BACKEND, config.platform or SERVED_PLATFORM)
    if not (config.backend or config.platform) or backend != (SERVED_BACKEND, SERVED_PLATFORM):
        asked = config.backend or config.platform or "none"
        raise Stalled(
            f"{name} asks for the backend {asked!r}; only ONNX models are served here: "
            f'platform: "{SERVED_PLATFORM}". The python backend is refused because it runs code in the server.'
        )
    if config.runtime or config.model_repository_agents.agents:
        raise Stalled(f"{name} may not set runtime or model_repository_agents: both load code into the server.")
    if any(parameter.key == "EXECUTION_ENV_PATH" for parameter in config.parameters):
        raise Stalled(f"{name} may not set EXECUTION_ENV_PATH: it runs code in the server.")
    if config.name not in {"", model}:
        raise Stalled(f"{name} says name: {config.name!r}, its folder is {model!r}: make them equal or leave name out.")
    if not config.input or not config.output:
        raise Stalled(f"{name} must list every input and output with name, data_type and dims.")


def _parse_config(path: Path, name: str) -> Any:
    try:
        return text_format.Parse(_with_colons(path.read_text("utf-8")), _config_class()(), allow_unknown_field=True)
    except FileNotFoundError:
        raise Stalled(f"the model repository has no {name}") from None
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise Stalled(f"{name} is no Triton model configuration: {error}") from None


# A string or a comment, left alone; or a field's name before a list.
_LISTED = re.compile(r"""("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|#[^\n]*)|(\w+)(\s*\[)""")


def _with_colons(text: str) -> str:
    """Write `field [` as `field: [`, which means the same: Python's parser skips unknown lists only like that."""
    return _LISTED.sub(lambda found: found[1] or f"{found[2]}:{found[3]}", text)


@cache
def _config_class() -> Any:
    """Return a message class with the fields of Triton's ModelConfig that matter here; others are skipped.

    Text format goes by field names, so the numbers are free. Field names: triton-inference-server/common,
    protobuf/model_config.proto.
    """
    text, message = (
        descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
        descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE,
    )
    fields: dict[str, list[tuple[str, bool, str]]] = {
        "Named": [("key", False, ""), ("name", False, "")],
        "Agents": [("agents", True, ".ordain.triton.Named")],
        "Config": [
            *((name, False, "") for name in ("name", "platform", "backend", "runtime")),
            *((name, True, ".ordain.triton.Named") for name in ("input", "output", "parameters")),
            ("model_repository_agents", False, ".ordain.triton.Agents"),
        ],
    }
    file = descriptor_pb2.FileDescriptorProto(name="ordain/triton.proto", package="ordain.triton", syntax="proto3")
    for message_name, members in fields.items():
        described = file.message_type.add(name=message_name)
        for number, (name, repeated, of) in enumerate(members, start=1):
            field = described.field.add(name=name, number=number, type=message if of else text)
            field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            if of:
                field.type_name = of
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("ordain.triton.Config"))
