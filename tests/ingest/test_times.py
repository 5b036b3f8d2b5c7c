"""Times as SDKs write them, and the correction for a wrong clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.times import SECOND, corrected, micros

T = 1_743_298_200_000_000  # 2025-03-30T01:30:00Z
HOUR = 3600 * SECOND


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2025-03-30T01:30:00Z", T),
        ("2025-03-30T01:30:00.123Z", T + 123_000),
        ("2025-03-30T01:30:00.1234567Z", T + 123_456),
        ("2025-03-30T01:30:00", T),
        ("2025-03-30 01:30:00", T),
        ("2025-03-30T01:30Z", T),
        ("2025-03-30T04:30:00+03", T),
        ("2025-03-30T04:30:00+03:00", T),
        ("2025-03-30T04:30:00.5+0300", T + 500_000),
        ("2025-03-29T20:00:00-05:30", T),
        (" 2025-03-30T01:30:00Z ", T),
        ("2025-03-30", T - 90 * 60 * SECOND),
        ("20250330", T - 90 * 60 * SECOND),
        ("Sun, 30 Mar 2025 01:30:00 GMT", T),
        ("Sun, 30 Mar 2025 03:30:00 +0200", T),
        (1_743_298_200, T),
        (1_743_298_200_123, T + 123_000),
        (1_743_298_200_123.0, T + 123_000),
        (1_743_298_200_123_456, T + 123_456),
        (1_743_298_200_123_456_789, T + 123_457),
        ("1743298200123", T + 123_000),
        ("1743298200.5", T + 500_000),
        ("1969-12-31T23:59:59Z", -SECOND),
    ],
)
def test_a_time_is_read_in_every_form(written: str | float, read: int) -> None:
    assert micros(written) == read


@pytest.mark.parametrize(
    "written",
    [
        None,
        "",
        " ",
        "yesterday",
        "2025-13-01T00:00:00Z",
        "2025-02-30",
        "0000-00-00T00:00:00Z",
        "nan",
        float("nan"),
        1e300,
        -1e25,
    ],
)
def test_what_is_no_time_is_taken_as_missing(written: str | float | None) -> None:
    assert micros(written) is None


@given(st.text() | st.floats() | st.integers())
def test_no_value_makes_it_raise(value: str | float) -> None:
    result = micros(value)
    assert result is None or -62_135_596_800 * SECOND - HOUR * 24 <= result <= 253_402_300_800 * SECOND + HOUR * 24


@pytest.mark.parametrize(
    ("original", "sent_at", "received_at", "time"),
    [
        (T, T, T + 200_000, T),  # the way over the network is no skew
        (T, T, T + 149 * SECOND, T),
        (T, T, T + 150 * SECOND, T + 300 * SECOND),
        (T, T, T - 150 * SECOND, T),
        (T, T, T - 151 * SECOND, T - 300 * SECOND),
        (T, T + HOUR, T, T - HOUR),  # a clock that is an hour ahead
        (T - HOUR, T, T + 24 * HOUR, T + 23 * HOUR),  # a clock that is a day behind, an event an hour old
        (T, None, T + 9 * HOUR, T),
        (None, T, T + 7, T + 7),
        (None, None, T, T),
        (T + 24 * HOUR, T, T, T + 24 * HOUR),
        (T + 24 * HOUR + 1, T, T, T),  # further ahead than a day: that clock knows nothing
    ],
)
def test_a_time_is_corrected_by_the_senders_skew_in_steps_of_five_minutes(
    original: int | None, sent_at: int | None, received_at: int, time: int
) -> None:
    assert corrected(original, sent_at, received_at) == time
