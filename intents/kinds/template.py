"""Template: a pipeline or a training program in the catalog."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from intents.kinds.base import Image, Part, Sha256, Spec, Text, Word, refuse
from intents.kinds.resources import Resources

EVERY_TENANT = "*"


class Package(Part):
    """The compiled KFP package: a file beside template.yaml."""

    file: Literal["pipeline.yaml"] = "pipeline.yaml"
    """The name of the file beside template.yaml."""
    sha256: Sha256
    """The sha256 of the file, in hex."""


class Training(Part):
    """A program that runs on every node of a TrainingJob; parameters reach it as `--<name>=<value>`."""

    image: Image
    """The container image: `<registry>/<repository>:<tag>` or `…@sha256:<digest>`."""
    command: Annotated[tuple[Text, ...], Field(min_length=1)]
    """The program and its first arguments."""


class ModelOutput(Part):
    """An output artifact that is a model; of a training program the task is `train`."""

    task: Word
    """The task that writes it."""
    output: Word
    """The name of the artifact among the outputs of the task."""


class TemplateSpec(Spec):
    """One version of one template of the catalog: a package for Runs, or a program for TrainingJobs."""

    MUTABLE: ClassVar = frozenset({"tenants", "deprecated"})

    package: Package | None = None
    """The compiled pipeline, for Runs and Schedules; either this or `training`."""
    training: Training | None = None
    """The program, for TrainingJobs; either this or `package`."""
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    """What may be asked of it: a JSON Schema (2020-12) of an object."""
    resources: Resources = Field(default_factory=Resources, examples=[{"cpus": 2, "memory": "4Gi"}])
    """What one task or node may use, where nothing else is said."""
    tenants: tuple[Annotated[str, Field(min_length=1, max_length=16)], ...] = (EVERY_TENANT,)
    """Tenants it is offered to; `*` is every tenant."""
    models: tuple[ModelOutput, ...] = Field(default=(), examples=[[{"task": "train", "output": "model"}]])
    """Its outputs that are models, and so can be registered."""
    deprecated: Text | None = Field(default=None, examples=["use version 2.0.0"])
    """Why it should not be used any more, and what to use instead; whoever still uses it is warned."""

    @model_validator(mode="after")
    def _package_or_training(self) -> Self:
        if (self.package is None) == (self.training is None):
            raise refuse("invalid-value", "a template is either a `package` or a `training`", "give exactly one")
        return self

    def offered_to(self, tenant: str) -> bool:
        """Whether `tenant` may run it."""
        return EVERY_TENANT in self.tenants or tenant in self.tenants
