"""TrainingJob: one training program on several nodes at once."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, JsonValue

from intents.kinds.base import Count, Duration, Spec, TemplateRef
from intents.kinds.resources import Resources
from intents.kinds.run import Desired, Registration


class TrainingJobSpec(Spec):
    """A request to run one training template on `nodes` nodes; again, each time `attempt` is raised."""

    MUTABLE: ClassVar = frozenset({"desired", "attempt"})

    template: TemplateRef
    """What is run: a training template of the catalog and its version, `<template>@<version>`."""
    nodes: Annotated[int, Field(strict=True, ge=1, le=1000)] = 1
    """On how many nodes at once."""
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    """Values for the template's parameters."""
    resources: Resources | None = Field(default=None, examples=[{"cpus": 2, "memory": "4Gi"}])
    """What each node may use; absent: as the template says."""
    register_: Registration | None = Field(default=None, alias="register", examples=[{"model": "linear"}])
    """Register a model output as the next version of a model; absent: nothing is registered."""
    deadline: Duration | None = Field(default=None, examples=["1h"])
    """How long it may take from submission on; absent: as long as it takes."""
    desired: Desired = Desired.RUNNING
    attempt: Count = 1
    """Raised by a person to run it again."""
