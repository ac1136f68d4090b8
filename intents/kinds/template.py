"""Template: a pipeline in the catalog, beside its compiled package."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue

from intents.kinds.base import Part, Sha256, Spec, Word

EVERY_TENANT = "*"


class Package(Part):
    """The compiled KFP package: a file beside template.yaml."""

    file: Literal["pipeline.yaml"] = "pipeline.yaml"
    sha256: Sha256


class ModelOutput(Part):
    """An output artifact of the package that is a model."""

    task: Word
    output: Word


class TemplateSpec(Spec):
    """One version of one template. `parameters` is a JSON Schema (2020-12) of an object."""

    MUTABLE: ClassVar = frozenset({"tenants"})

    package: Package
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    tenants: tuple[Annotated[str, Field(min_length=1, max_length=16)], ...] = (EVERY_TENANT,)
    """Tenants it is offered to; `*` is every tenant."""
    models: tuple[ModelOutput, ...] = ()

    def offered_to(self, tenant: str) -> bool:
        """Whether `tenant` may run it."""
        return EVERY_TENANT in self.tenants or tenant in self.tenants
