"""How long to leave a forge's API alone, by what it answered.

Sources: "Rate limits for the REST API" and "Best practices" of GitHub's documentation; RFC 9110, section 10.2.3, for
Retry-After. A secondary limit may come without any header: then a minute, and longer each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

SECONDARY_SECONDS = 60.0
LONGEST_SECONDS = 3600.0
RESERVE = 100
"""Requests that polls leave to what people wait for: an hour has 5,000 on GitHub, 1,000 in its Actions."""

_FORBIDDEN: Final = 403
_TOO_MANY_REQUESTS: Final = 429
_UNAVAILABLE: Final = 503
_LIMITING = frozenset({_FORBIDDEN, _TOO_MANY_REQUESTS})


@dataclass(frozen=True)
class Limits:
    """What a forge's answers say of its limits; header names in small letters."""

    status: int
    headers: Mapping[str, str]
    message: str = ""

    @property
    def exceeded(self) -> bool:
        """Whether the request was refused for a limit, and not for who asks."""
        if self.status == _TOO_MANY_REQUESTS:
            return True
        told = "retry-after" in self.headers or self._number("x-ratelimit-remaining") == 0
        return self.status == _FORBIDDEN and (told or "rate limit" in self.message.lower())

    def pause(self, now: datetime, refusals: int = 0) -> float:
        """Return the seconds to ask nothing; 0 where nothing is in the way.

        `refusals` counts those before this one. The forge's own clock counts where it tells the time.
        """
        remaining = self._number("x-ratelimit-remaining")
        if not self.exceeded and remaining != 0 and self.status != _UNAVAILABLE:
            return 0.0
        told = self._retry_after(now)
        if told is None and remaining == 0:
            told = self._until_reset(now)
        if told is None:
            told = SECONDARY_SECONDS * 2**refusals if self.exceeded else 0.0
        return min(max(told, 0.0), LONGEST_SECONDS)

    def spare(self, now: datetime) -> float:
        """Return the seconds that polls wait, so that some requests are left for what people wait for."""
        remaining = self._number("x-ratelimit-remaining")
        if remaining is None or remaining > RESERVE:
            return 0.0
        return min(max(self._until_reset(now) or 0.0, 0.0), LONGEST_SECONDS)

    def _retry_after(self, now: datetime) -> float | None:
        text = self.headers.get("retry-after", "").strip()
        if text.isdecimal():
            return float(text)
        at = _date(text)
        return None if at is None else (at - self._their(now)).total_seconds()

    def _until_reset(self, now: datetime) -> float | None:
        reset = self._number("x-ratelimit-reset")
        # A second more: it is reset in the course of that second.
        return None if reset is None else reset - self._their(now).timestamp() + 1

    def _their(self, now: datetime) -> datetime:
        return _date(self.headers.get("date", "")) or now

    def _number(self, name: str) -> int | None:
        text = self.headers.get(name, "")
        return int(text) if text.isdecimal() else None


def _date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
