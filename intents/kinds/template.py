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
    sha256: Sha256


class Training(Part):
    """A program that runs on every node of a TrainingJob; parameters reach it as `--<name>=<value>`."""

    image: Image
    command: Annotated[tuple[Text, ...], Field(min_length=1)]


class ModelOutput(Part):
    """An output artifact that is a model; of a training program the task is `train`."""

    task: Word
    output: Word


class TemplateSpec(Spec):
    """One version of one template: a package for Runs, or a program for TrainingJobs.

    `parameters` is a JSON Schema (2020-12) of an object.
    """

    MUTABLE: ClassVar = frozenset({"tenants", "deprecated"})

    package: Package | None = None
    training: Training | None = None
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    resources: Resources = Field(default_factory=Resources)
    """Of one task or node, where nothing else is said."""
    tenants: tuple[Annotated[str, Field(min_length=1, max_length=16)], ...] = (EVERY_TENANT,)
    """Tenants it is offered to; `*` is every tenant."""
    models: tuple[ModelOutput, ...] = ()
    deprecated: Text | None = None
    """Why, and what to use instead; whoever still uses it is warned."""

    @model_validator(mode="after")
    def _package_or_training(self) -> Self:
        if (self.package is None) == (self.training is None):
            raise refuse("invalid-value", "a template is either a `package` or a `training`", "give exactly one")
        return self

    def offered_to(self, tenant: str) -> bool:
        """Whether `tenant` may run it."""
        return EVERY_TENANT in self.tenants or tenant in self.tenants
