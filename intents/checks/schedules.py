"""Schedules: when they fire."""

from __future__ import annotations

from collections.abc import Iterator

from intents.checks.rule import Change
from intents.cron import complaint, zone_names
from intents.hints import did_you_mean
from intents.kinds import ScheduleSpec
from intents.problems import Problem


def schedule_can_fire(change: Change) -> Iterator[Problem]:
    """Its cron expression is one, in a time zone that there is."""
    document, spec = change.document, change.document.spec
    if not isinstance(spec, ScheduleSpec):
        return
    if wrong := complaint(spec.cron):
        hint = "minute, hour, day of month, month, day of week: `0 3 * * *` is every night at three"
        yield document.problem("invalid-cron", wrong, "spec", "cron", hint=hint)
    if spec.time_zone not in zone_names():
        hint = did_you_mean(spec.time_zone, sorted(zone_names())) or "such as Europe/Zurich or UTC"
        message = f"there is no time zone {spec.time_zone}"
        yield document.problem("unknown-time-zone", message, "spec", "timeZone", hint=hint)
