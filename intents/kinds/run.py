"""Run: a request to run one catalog template once."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, JsonValue

from intents.kinds.base import Count, Duration, ModelName, Part, Spec, TemplateRef, Word


class Desired(StrEnum):
    """What a person wants of it: that it runs, or that it is cancelled."""

    RUNNING = "Running"
    CANCELLED = "Cancelled"


class Registration(Part):
    """Register a model output as the next version of `model`."""

    model: ModelName
    """The model that gets a new version."""
    output: Word | None = None
    """The output artifact that is the model; needed only where the template declares several."""


class RunRequest(Part):
    """What is run: asked once by a Run, again and again by a Schedule."""

    template: TemplateRef
    """What is run: a template of the catalog and its version, `<template>@<version>`."""
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    """Values for the template's parameters."""
    register_: Registration | None = Field(default=None, alias="register", examples=[{"model": "fraud"}])
    """Register a model output of the run as the next version of a model; absent: nothing is registered."""
    deadline: Duration | None = Field(default=None, examples=["2h"])
    """How long it may take from submission on; absent: as long as it takes."""
    tries: Annotated[int, Field(strict=True, ge=1, le=10)] = 1
    """How often it is submitted before a failure is final."""


class RunSpec(RunRequest, Spec):
    """A request to run one catalog template once; again, each time `attempt` is raised."""

    MUTABLE: ClassVar = frozenset({"desired", "attempt"})

    desired: Desired = Desired.RUNNING
    attempt: Count = 1
    """Raised by a person to run it again."""
