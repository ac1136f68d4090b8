"""ModelVersion: a registered model. A fact, written by the registry alone, never changed."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, JsonValue, StrictInt

from intents.kinds.base import CommitId, Digest, Part, Sha256, Spec, Word

# No part starts with a dot, so none leads out of the repository.
_PATH = r"^[A-Za-z0-9_][A-Za-z0-9._-]*(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)*$"


class ModelFile(Part):
    """One file of a Triton model repository, by its path from the repository's root."""

    path: Annotated[str, Field(pattern=_PATH, max_length=500)]
    size: Annotated[StrictInt, Field(ge=0)]
    sha256: Sha256


class Lineage(Part):
    """Where a model came from."""

    run: Annotated[str, Field(pattern=r"^runs/[0-9]{4}-[0-9]{2}-[0-9]{2}/[a-z0-9-]+$")]
    """`runs/<date>/<run>`, in the same project."""
    task: Word
    commit: CommitId | None = None
    """The commit of `main` that the run was asked in."""


class ModelVersionSpec(Spec):
    """The files of a model, their digest, and what produced them."""

    MUTABLE: ClassVar = frozenset[str]()

    digest: Digest
    """Of the canonical list of files: `intents.models.files_digest`."""
    files: Annotated[tuple[ModelFile, ...], Field(min_length=1)]
    signature: dict[str, JsonValue] = Field(default_factory=dict)
    """Triton's platform, inputs and outputs, as config.pbtxt names them."""
    lineage: Lineage | None = None
