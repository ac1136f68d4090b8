"""Run: a request to run one catalog template once."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, JsonValue

from intents.kinds.base import Count, Duration, ModelName, Part, Spec, TemplateRef, Word


class Desired(StrEnum):
    """What a person wants of a run."""

    RUNNING = "Running"
    CANCELLED = "Cancelled"


class Registration(Part):
    """Register a model output of the run as the next version of `model`.

    `output` names the artifact; it may be left out where the template declares only one.
    """

    model: ModelName
    output: Word | None = None


class RunRequest(Part):
    """What is run: asked once by a Run, again and again by a Schedule."""

    template: TemplateRef
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    register_: Registration | None = Field(default=None, alias="register")
    deadline: Duration | None = None
    """How long it may take from submission on."""
    tries: Annotated[int, Field(strict=True, ge=1, le=10)] = 1
    """How often it is submitted before a failure is final."""


class RunSpec(RunRequest, Spec):
    """A request to run one catalog template once; again, each time `attempt` is raised."""

    MUTABLE: ClassVar = frozenset({"desired", "attempt"})

    desired: Desired = Desired.RUNNING
    attempt: Count = 1
