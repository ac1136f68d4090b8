"""Registration: a run's model output becomes bytes under their digest and a request for a ModelVersion."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from pydantic import JsonValue, ValidationError

from intents.authority import Principal
from intents.kinds.base import Kind
from intents.kinds.model_version import ModelFile
from intents.models import files_digest
from intents.triton import CONFIG, check_repository, signature_of
from intents.triton_messages import parse_config
from intents.writing import dump
from reconciler.planning.observations import OutputArtifact
from reconciler.planning.runs import RunRow
from reconciler.planning.writing import RequestId, Write, WriteAction, WriteRequest
from reconciler.ports.errors import Stalled
from reconciler.ports.objects import Objects

MODELS = "models"
PRINCIPAL = "ordain-registry"


class NotAModel(Exception):
    """The output cannot be a model version; the message says why."""


@dataclass(frozen=True)
class StoredModel:
    """Model bytes as they lie under their digest, and what their config.pbtxt says."""

    digest: str
    files: tuple[ModelFile, ...]
    signature: Mapping[str, JsonValue]


async def store_model(objects: Objects, run: RunRow, artifact: OutputArtifact) -> StoredModel:
    """Hash the output again and copy it, create-only, below its digest; repeating it changes nothing.

    The output holds one folder; it becomes the folder `<model>`, as a Triton model repository wants.
    """
    bodies = await _read_output(objects, artifact)
    placed = place_below(run.register_model, bodies)
    refuse_contradictions(placed, run.register_model)
    files = tuple(_model_file(path, body) for path, body in sorted(placed.items()))
    digest = files_digest((file.path, file.size, file.sha256) for file in files)
    prefix = f"{run.tenant}/{run.project}/{run.register_model}/{digest.removeprefix('sha256:')}"
    for path, body in placed.items():
        await _create(objects, f"{prefix}/{path}", body)
    return StoredModel(digest, files, signature_of(parse_config(placed[f"{run.register_model}/{CONFIG}"])))


def model_version_request(run: RunRow, artifact: OutputArtifact, stored: StoredModel) -> WriteRequest:
    """Return the request for the next version of the model, under an id derived from the attempt."""
    spec = {
        "digest": stored.digest,
        "files": [entry.model_dump(by_alias=True) for entry in stored.files],
        # What the files say stands over what the program said of them.
        "signature": {**artifact.metadata.get("signature", {}), **stored.signature},
        "lineage": {"run": _run_reference(run), "task": artifact.task, "commit": run.commit},
    }
    folder = f"tenants/{run.tenant}/projects/{run.project}/models/{run.register_model}"
    return WriteRequest(
        id=RequestId(run.registration_id),
        tenant=run.tenant,
        project=run.project,
        subject=f"Register {run.register_model} from {run.name}",
        principal=Principal(user=PRINCIPAL),
        writes=(Write(folder, WriteAction.ALLOCATE, dump(Kind.MODEL_VERSION, spec)),),
        on_behalf_of=run.requested_by,
        cause=f"run {run.path} attempt {run.attempt}",
    )


def _run_reference(run: RunRow) -> str:
    """Return `runs/<date>/<run>`, the run's place in its project."""
    return "runs/" + run.path.partition("/runs/")[2].removesuffix(".yaml")


def place_below(model: str, bodies: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """Return the files with their one top folder named like the model; raises NotAModel without such a one."""
    tops = {PurePosixPath(path).parts[0] for path in bodies if "/" in path}
    loose = [path for path in bodies if "/" not in path]
    if len(tops) != 1 or loose:
        found = ", ".join(sorted(tops | set(loose))) or "nothing"
        raise NotAModel(f"a model output holds exactly one folder with config.pbtxt and 1/; it holds {found}")
    return {f"{model}/{path.partition('/')[2]}": body for path, body in bodies.items()}


def refuse_contradictions(files: Mapping[str, bytes], model: str) -> None:
    """Raise NotAModel with everything that no server could make one model of, or that is code."""
    if found := check_repository(files, model):
        raise NotAModel("; ".join(f"{each.message} ({each.hint})" if each.hint else each.message for each in found))


def _model_file(path: str, body: bytes) -> ModelFile:
    try:
        return ModelFile(path=path, size=len(body), sha256=hashlib.sha256(body).hexdigest())
    except ValidationError as error:
        raise NotAModel(f"the file {path!r} has a name that no model repository may hold") from error


async def _read_output(objects: Objects, artifact: OutputArtifact) -> Mapping[str, bytes]:
    place = urlsplit(artifact.uri)
    prefix = place.path.strip("/") + "/"
    found = await objects.list(place.netloc, prefix)
    bodies = {item.key.removeprefix(prefix): await objects.get(place.netloc, item.key) for item in found}
    return {path: body for path, body in bodies.items() if body is not None}


async def _create(objects: Objects, key: str, body: bytes) -> None:
    if await objects.create(MODELS, key, body):
        return
    if await objects.get(MODELS, key) != body:
        raise Stalled(
            f"s3://{MODELS}/{key} holds other bytes than its digest says: find out who wrote it, then remove it"
        )
