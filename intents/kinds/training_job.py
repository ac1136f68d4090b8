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
    nodes: Annotated[int, Field(strict=True, ge=1, le=1000)] = 1
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    resources: Resources | None = None
    """Of each node; absent: the template's."""
    register_: Registration | None = Field(default=None, alias="register")
    deadline: Duration | None = None
    desired: Desired = Desired.RUNNING
    attempt: Count = 1
