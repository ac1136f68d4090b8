"""Schedules' times: cron expressions of five fields, read in a time zone. Pure: the caller says what time it is.

Where clocks change, a schedule does what Debian's cron does:

- With a minute and an hour given (`30 2 * * *`) it fires once that day: at the first minute after a gap that the
  clock jumps over, and only the first time round where an hour comes twice.
- With a `*` at the start of the minute or the hour (`*/15 * * * *`) it goes by real time: a time that the clock
  jumps over is left out, and one that comes twice fires twice.

Time zones come from the tzdata package, not from the machine, so that all machines agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from importlib import resources
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_FIELDS = ("minute", "hour", "day of month", "month", "day of week")
_NUMBER = r"(?:[0-9]{1,2}|[A-Za-z]{3})"
_TERM = rf"(?:\*|{_NUMBER}(?:-{_NUMBER})?)(?:/[0-9]{{1,2}})?"
_FIELD = re.compile(rf"{_TERM}(?:,{_TERM})*")
_SOME_DAY = datetime(2000, 1, 1, tzinfo=UTC)
_CHECKED = 4096


class InvalidCron(ValueError):
    """No cron expression; the message says which field is wrong."""


class UnknownZone(ValueError):
    """No name of the IANA time zone database."""


def zone_names() -> frozenset[str]:
    """Return every name of the IANA time zone database."""
    return _zone_names()


def time_zone(name: str) -> ZoneInfo:
    """Return a time zone of the IANA database. Raises UnknownZone."""
    if name not in _zone_names():
        raise UnknownZone(f"`{name}` is no name of the IANA time zone database")
    return _zone(name)


@lru_cache(maxsize=_CHECKED)
def complaint(cron: str) -> str | None:
    """Return what is wrong with a cron expression, or None.

    Five fields of numbers or English names, `*`, ranges, lists and steps. Neither nicknames such as `@daily`
    nor a field of seconds: the shortest period is a minute.
    """
    try:
        _validate(cron)
    except InvalidCron as error:
        return str(error)
    return None


def next_firings(cron: str, zone: str, after: datetime, count: int) -> tuple[datetime, ...]:
    """Return the next `count` times after `after`, in the zone; strictly rising, none twice.

    Raises InvalidCron and UnknownZone.
    """
    return tuple(islice(firings(cron, zone, after), count))


def firings(cron: str, zone: str, after: datetime) -> Iterator[datetime]:
    """Yield the times after `after`, an aware time, without end. Raises InvalidCron and UnknownZone."""
    if after.tzinfo is None:
        raise ValueError("`after` has no time zone: it would be read in the machine's")
    _validate(cron)
    place, last = time_zone(zone), after.astimezone(UTC)
    for found in CronSim(cron, after.astimezone(place)):
        instant = found.astimezone(UTC)
        firing = instant.astimezone(place)
        # Several times inside a gap fall on the minute after it; in an hour that comes twice the walk by the
        # clock's face can begin before `after`; and a walk by real time can name a time inside a gap.
        if instant > last and firing.replace(tzinfo=None) == found.replace(tzinfo=None):
            last = instant
            yield firing


def _validate(cron: str) -> None:
    fields = cron.split()
    if cron.startswith("@"):
        raise InvalidCron("nicknames are not taken; write the five fields, such as `0 3 * * *`")
    if len(fields) != len(_FIELDS):
        raise InvalidCron(f"five fields are wanted ({', '.join(_FIELDS)}), not {len(fields)}")
    for name, field in zip(_FIELDS, fields, strict=True):
        _validate_field(name, field)
    try:
        CronSim(cron, _SOME_DAY)
    except CronSimError as error:
        # All fields are sound by themselves.
        raise InvalidCron("it never fires: no month named has that day") from error


def _validate_field(name: str, field: str) -> None:
    """Hold one field against the grammar and its range, the others left open."""
    fields = ["*"] * len(_FIELDS)
    fields[_FIELDS.index(name)] = field
    try:
        if not _FIELD.fullmatch(field):
            raise InvalidCron(f"`{field}` is no {name}")
        CronSim(" ".join(fields), _SOME_DAY)
    except CronSimError as error:
        raise InvalidCron(f"`{field}` is no {name}") from error


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(_tzdata("zones").read_text("utf-8").split())


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    with _tzdata("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def _tzdata(*path: str) -> Any:
    return resources.files("tzdata").joinpath(*path)
