"""Rollout: what is served now, in full; written by the rollout controller alone."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, StrictInt

from intents.kinds.base import BlobId, Part, Person, Spec, Text
from intents.kinds.model_deployment import Version


class LiveVersion(Version):
    """A served version and its share of the traffic in percent."""

    weight: Annotated[StrictInt, Field(ge=0, le=100)]


class Hold(Part):
    """Why a rollout stands still, and on whose word."""

    reason: Text
    by: Person


class RolloutSpec(Spec):
    """Every served version with its weight; versions and weights are rendered from here alone."""

    MUTABLE: ClassVar = frozenset({"of", "live", "last_good", "step", "hold"})

    of: BlobId
    """Blob id of the ModelDeployment it moves toward."""
    live: Annotated[tuple[LiveVersion, ...], Field(min_length=1)]
    last_good: tuple[LiveVersion, ...] = ()
    step: Annotated[StrictInt, Field(ge=0)] = 0
    hold: Hold | None = None
    """Absent: moving, or done."""
