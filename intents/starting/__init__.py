"""Starting documents: correct as they are, with every choice a person has next written beside them. Pure."""

from intents.starting.kinds import (
    CannotStart,
    Start,
    cluster,
    deployment,
    pipeline_template,
    project,
    run,
    schedule,
    tenant,
    training_job,
    training_template,
)
from intents.starting.layout import Started

__all__ = [
    "CannotStart",
    "Start",
    "Started",
    "cluster",
    "deployment",
    "pipeline_template",
    "project",
    "run",
    "schedule",
    "tenant",
    "training_job",
    "training_template",
]
