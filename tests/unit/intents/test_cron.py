from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intents.cron import InvalidCron, UnknownZone, complaint, next_firings, time_zone, zone_names

ZURICH = "Europe/Zurich"  # forward on 29 March 2026 at 2:00, back on 25 October 2026 at 3:00


def fired(cron: str, zone: str, after: str, count: int) -> list[str]:
    start = datetime.fromisoformat(after).replace(tzinfo=time_zone(zone))
    return [each.strftime("%m-%d %H:%M %z") for each in next_firings(cron, zone, start, count)]


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("@daily", "nicknames"),
        ("0 0 * * * *", "not 6"),
        ("0 3 * *", "not 4"),
        ("", "not 0"),
        ("60 * * * *", "`60` is no minute"),
        ("* 24 * * *", "`24` is no hour"),
        ("* * 0 * *", "`0` is no day of month"),
        ("* * * 13 *", "`13` is no month"),
        ("* * * FOO *", "`FOO` is no month"),
        ("* * * * 8", "`8` is no day of week"),
        ("* * L * *", "`L` is no day of month"),
        ("* * * * MON#2", "`MON#2` is no day of week"),
        ("*/0 * * * *", "`*/0` is no minute"),
        ("5-1 * * * *", "`5-1` is no minute"),
        ("1, * * * *", "`1,` is no minute"),
        ("-1 * * * *", "`-1` is no minute"),
        ("\u0661 * * * *", "is no minute"),
        ("0 0 30 2 *", "it never fires"),
        ("0 0 31 4,6,9,11 *", "it never fires"),
    ],
)
def test_what_is_no_cron_expression(cron: str, said: str) -> None:
    assert said in (complaint(cron) or "")
    with pytest.raises(InvalidCron):
        next_firings(cron, "UTC", datetime(2026, 1, 1, tzinfo=UTC), 1)


@pytest.mark.parametrize(
    "cron",
    ["0 3 * * *", "*/15 8-18/2 1,15 jan-jun MON-FRI", "0 0 29 2 *", "0 0 30 2 1", "5/20 * * * 7", " 0  0 * * * "],
)
def test_cron_expressions(cron: str) -> None:
    assert complaint(cron) is None
    assert len(next_firings(cron, "UTC", datetime(2026, 1, 1, tzinfo=UTC), 3)) == 3


def test_a_leap_day_comes_every_four_years() -> None:
    firings = next_firings("0 0 29 2 *", "UTC", datetime(2026, 1, 1, tzinfo=UTC), 2)
    assert [each.year for each in firings] == [2028, 2032]


def test_days_of_month_and_of_week_add_up_when_both_are_given() -> None:
    assert fired("0 0 13 * FRI", "UTC", "2026-11-10 00:00", 3) == [
        "11-13 00:00 +0000",
        "11-20 00:00 +0000",
        "11-27 00:00 +0000",
    ]


def test_a_fixed_time_that_the_clock_jumps_over_fires_once_after_the_gap() -> None:
    assert fired("30 2 * * *", ZURICH, "2026-03-28 12:00", 2) == ["03-29 03:00 +0200", "03-30 02:30 +0200"]
    assert fired("0,20,40 2 * * *", ZURICH, "2026-03-28 12:00", 2) == ["03-29 03:00 +0200", "03-30 02:00 +0200"]


def test_a_fixed_time_that_comes_twice_fires_the_first_time() -> None:
    assert fired("30 2 * * *", ZURICH, "2026-10-24 12:00", 2) == ["10-25 02:30 +0200", "10-26 02:30 +0100"]


def test_inside_the_repeated_hour_nothing_fires_again() -> None:
    second = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)  # 2:10 for the second time
    (firing,) = next_firings("30 2 * * *", ZURICH, second, 1)
    assert firing.strftime("%m-%d %H:%M %z") == "10-26 02:30 +0100"


def test_wildcards_go_by_real_time() -> None:
    assert fired("*/30 * * * *", ZURICH, "2026-03-29 01:15", 2) == ["03-29 01:30 +0100", "03-29 03:00 +0200"]
    assert fired("0 * * * *", ZURICH, "2026-10-25 01:30", 3) == [
        "10-25 02:00 +0200",
        "10-25 02:00 +0100",
        "10-25 03:00 +0100",
    ]
    # In Beirut the clock jumps over midnight.
    assert fired("*/30 0 * * *", "Asia/Beirut", "2026-03-28 12:00", 1) == ["03-30 00:00 +0300"]


def test_time_zones_are_those_of_the_database_alone() -> None:
    assert "Europe/Zurich" in zone_names()
    for name in ("Europe/Zuerich", "localtime", "../../etc/passwd", "", "europe/zurich", "CEST", "+02:00"):
        with pytest.raises(UnknownZone):
            time_zone(name)


def test_a_time_without_zone_is_not_taken() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        next_firings("0 3 * * *", "UTC", datetime(2026, 1, 1), 1)  # noqa: DTZ001 - what is refused


NUMBERS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 28), "month": (1, 12), "weekday": (0, 7)}


def field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    return st.one_of(
        st.just("*"),
        number.map(str),
        st.integers(1, 30).map(lambda step: f"*/{step}"),
        st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}"),
        st.lists(number, min_size=1, max_size=3).map(lambda many: ",".join(map(str, many))),
    )


CRONS = st.tuples(*(field(*bounds) for bounds in NUMBERS.values())).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(
    cron=CRONS,
    zone=st.sampled_from([ZURICH, "America/Havana", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
    after=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(timezone(timedelta(hours=5)))),  # noqa: DTZ001 - bounds
)
def test_firings_rise_strictly_after_the_start_and_are_whole_minutes(cron: str, zone: str, after: datetime) -> None:
    found = next_firings(cron, zone, after, 4)
    assert len(found) == 4
    # In UTC: times of one zone are compared by the wall clock, which shows an hour twice in autumn.
    assert all(one.astimezone(UTC) < other.astimezone(UTC) for one, other in pairwise([after, *found]))
    assert all(not each.second and not each.microsecond for each in found)
    assert next_firings(cron, zone, found[0], 3) == found[1:]


@settings(max_examples=200)
@given(st.text(st.sampled_from("0123456789*/,-@LW#? JANMON"), max_size=20))
def test_any_text_is_a_cron_expression_or_is_complained_about(text: str) -> None:
    if complaint(text) is None:
        assert next_firings(text, "UTC", datetime(2026, 1, 1, tzinfo=UTC), 1)
