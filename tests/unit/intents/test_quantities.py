from __future__ import annotations

import pytest

from intents.quantities import canonical_quantity, duration_seconds


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("1", "1"),
        ("1000m", "1"),
        ("1.0", "1"),
        ("0.5", "500m"),
        ("100m", "100m"),
        ("0.0001", "100u"),
        ("2Gi", "2Gi"),
        ("2048Mi", "2Gi"),
        ("1.5Gi", "1536Mi"),
        ("1024Gi", "1Ti"),
        ("2000", "2k"),
        ("128974848", "128974848"),
        ("129e6", "129M"),
        ("0.5Ki", "512"),
        ("1.5Ki", "1536"),
        ("0", "0"),
    ],
)
def test_the_form_the_api_server_stores(written: str, stored: str) -> None:
    assert canonical_quantity(written) == stored
    assert canonical_quantity(stored) == stored


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "1 Gi", "1gi", "1GiB", "1e", "9Ei9", "8Ei", "1e30", "0.0000000001", "NaN"]
)
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match=r"quantity|out of range"):
        canonical_quantity(text)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("5m", 300), ("2h", 7200)])
def test_durations(text: str, seconds: int) -> None:
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "0s", "5 m", "1.5h", "1d", "-5s", "123456s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        duration_seconds(text)
