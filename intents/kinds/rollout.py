"""Rollout: what is served now, in full; written by the rollout controller alone."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, StrictInt

from intents.kinds.base import BlobId, Part, Person, Spec, Text
from intents.kinds.model_deployment import Version


class LiveVersion(Version):
    """A served version and its share of the traffic in percent."""

    weight: Annotated[StrictInt, Field(ge=0, le=100)]
    """Its share of the traffic in percent."""


class Hold(Part):
    """Why a rollout stands still, and on whose word."""

    reason: Text
    """Why it was stopped."""
    by: Person
    """Who stopped it: a person, or the worker whose gate failed."""


class RolloutSpec(Spec):
    """What is served now: every version with its weight. Written by the rollout controller alone."""

    MUTABLE: ClassVar = frozenset({"of", "live", "last_good", "step", "hold"})

    of: BlobId
    """The git blob id of the ModelDeployment it moves toward."""
    live: Annotated[tuple[LiveVersion, ...], Field(min_length=1)]
    """Every version that is up now, with its weight."""
    last_good: tuple[LiveVersion, ...] = ()
    """What a rollback goes back to."""
    step: Annotated[StrictInt, Field(ge=0)] = 0
    """How far along the strategy's steps it is, from 0."""
    hold: Hold | None = None
    """Why it stands still; absent: it is moving, or done."""
