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
    """Where it lies in the model repository: <model>/config.pbtxt, <model>/1/…"""
    size: Annotated[StrictInt, Field(ge=0)]
    """Its size in bytes."""
    sha256: Sha256
    """The sha256 of its bytes, in hex."""


class Lineage(Part):
    """Where a model came from."""

    run: Annotated[str, Field(pattern=r"^runs/[0-9]{4}-[0-9]{2}-[0-9]{2}/[a-z0-9-]+$")]
    """The run that made it, in the same project: `runs/<date>/<run>`."""
    task: Word
    """The task of the run that wrote it."""
    commit: CommitId | None = None
    """The commit of `main` that the run was asked in."""


class ModelVersionSpec(Spec):
    """A registered model: its files, their digest, and what produced them. A fact, written by the registry alone."""

    MUTABLE: ClassVar = frozenset[str]()

    digest: Digest
    """The sha256 over the list of its files: a line `<sha256>  <size>  <path>` a file, by path."""
    files: Annotated[tuple[ModelFile, ...], Field(min_length=1)]
    """All files of the model: a whole Triton model repository."""
    signature: dict[str, JsonValue] = Field(default_factory=dict)
    """What config.pbtxt says: `platform`, `backend`, `instanceKinds`, and `inputs` and `outputs` with name, datatype
    and shape.
    """
    lineage: Lineage | None = None
    """Where the model came from; absent for one that was brought from outside."""
