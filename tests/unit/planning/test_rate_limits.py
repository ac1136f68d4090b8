"""How long to leave a forge alone: the table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from reconciler.planning.rate_limits import LONGEST_SECONDS, RESERVE, SECONDARY_SECONDS, Limits

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
RESET = str(int((NOW + timedelta(minutes=10)).timestamp()))
USED_UP = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": RESET}
SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes."

TABLE = [
    (200, {}, "", 0.0),
    (200, {"x-ratelimit-remaining": "4999", "x-ratelimit-reset": RESET}, "", 0.0),
    (200, USED_UP, "", 601.0),
    (304, USED_UP, "", 601.0),
    (403, USED_UP, "API rate limit exceeded", 601.0),
    (429, USED_UP, "", 601.0),
    (403, {"retry-after": "30"}, SECONDARY, 30.0),
    (429, {"retry-after": "7"}, "", 7.0),
    (429, {"retry-after": format_datetime(NOW + timedelta(seconds=90))}, "", 90.0),
    (429, {"retry-after": "soon"}, "", SECONDARY_SECONDS),
    (403, {"x-ratelimit-remaining": "4000", "x-ratelimit-reset": RESET}, SECONDARY, SECONDARY_SECONDS),
    (403, {"x-ratelimit-remaining": "4000"}, "Resource not accessible by integration", 0.0),
    (403, {}, "Must have admin rights", 0.0),
    (503, {"retry-after": "12"}, "", 12.0),
    (503, {}, "", 0.0),
    (429, {"retry-after": "999999"}, "", LONGEST_SECONDS),
    (429, {"retry-after": format_datetime(NOW - timedelta(seconds=90))}, "", 0.0),
    (200, {"x-ratelimit-remaining": "?", "x-ratelimit-reset": "?"}, "", 0.0),
]


@pytest.mark.parametrize(("status", "headers", "message", "seconds"), TABLE)
def test_the_pause_after_an_answer(status: int, headers: dict[str, str], message: str, seconds: float) -> None:
    assert Limits(status, headers, message).pause(NOW) == seconds


def test_a_limit_without_a_time_is_kept_longer_each_time() -> None:
    pauses = [Limits(403, {}, SECONDARY).pause(NOW, refusals) for refusals in range(8)]
    assert pauses[:4] == [60, 120, 240, 480]
    assert pauses[-1] == LONGEST_SECONDS


def test_the_forge_s_own_clock_counts() -> None:
    ahead = format_datetime(NOW + timedelta(minutes=9))
    assert Limits(200, {**USED_UP, "date": ahead}).pause(NOW) == 61.0


@pytest.mark.parametrize(("remaining", "seconds"), [(RESERVE + 1, 0.0), (RESERVE, 601.0), (0, 601.0)])
def test_polls_leave_some_requests_to_others(remaining: int, seconds: float) -> None:
    headers = {"x-ratelimit-remaining": str(remaining), "x-ratelimit-reset": RESET}
    assert Limits(200, headers).spare(NOW) == seconds


def test_without_a_limit_polls_wait_for_nothing() -> None:
    assert Limits(200, {}).spare(NOW) == 0.0
