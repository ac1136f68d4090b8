"""CPUs, memory and GPUs: what one replica uses, and what a tenant or project may use in all."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from intents.kinds.base import Count, GpuType, Part, Quantity, refuse

GpuCounts = dict[GpuType, Count]
"""GPUs by type."""


class Resources(Part):
    """What one replica, task or node may use; it is requested and limited alike."""

    cpus: Quantity = "1"
    """CPUs, such as 2 or 500m."""
    memory: Quantity = "1Gi"
    """Memory, such as 2Gi."""
    gpus: GpuCounts = Field(default_factory=dict)
    """GPUs by type; at most one type, because a pod runs on one node."""

    @model_validator(mode="after")
    def _one_type(self) -> Self:
        if len(self.gpus) > 1:
            raise refuse("invalid-value", f"one pod cannot use {' and '.join(self.gpus)}", "keep one type of GPU")
        return self


class Quota(Part):
    """What may be used at once. Without a number there is no limit of its own; a GPU type not named may not be used.

    Runs above `concurrentRuns` wait; they are never refused.
    """

    cpus: Quantity | None = None
    """CPUs at once; absent: no limit of its own."""
    memory: Quantity | None = None
    """Memory at once; absent: no limit of its own."""
    gpus: GpuCounts = Field(default_factory=dict)
    """GPUs at once, by type; a type that is not named may not be used."""
    concurrent_runs: Count = 10
    """Runs at once; further ones wait, they are never refused."""
