"""Schedule: Runs that are asked for by the clock."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from intents.kinds.base import Spec
from intents.kinds.run import RunRequest


class Concurrency(StrEnum):
    """What a firing does while the run before is still under way: start beside it, be skipped, or take its place."""

    ALLOW = "Allow"
    FORBID = "Forbid"
    REPLACE = "Replace"


class ScheduleSpec(Spec):
    """A Run at every time that `cron` names in `timeZone`."""

    MUTABLE: ClassVar = frozenset({"cron", "time_zone", "concurrency", "catch_up", "suspended", "run"})

    cron: Annotated[str, Field(min_length=1, max_length=200)]
    """When it fires: minute, hour, day of month, month, day of week. No nicknames and no seconds.

    Where clocks change, a given hour fires once that day, and `*` goes by real time.
    """
    time_zone: Annotated[str, Field(min_length=1, max_length=64)] = "UTC"
    """The time zone of `cron`, as the IANA time zone database calls it."""
    concurrency: Concurrency = Concurrency.FORBID
    catch_up: Annotated[int, Field(strict=True, ge=0, le=100)] = 1
    """How many missed firings are made up for, the newest first."""
    suspended: bool = False
    """Whether it fires at all."""
    run: RunRequest
