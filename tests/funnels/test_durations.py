"""Durations as they are written."""

from __future__ import annotations

from datetime import timedelta

import pytest

from funnels.durations import EXAMPLES, format_duration, parse_duration


def test_each_unit_is_read() -> None:
    assert [parse_duration(text) for text in EXAMPLES] == [
        timedelta(seconds=90),
        timedelta(minutes=30),
        timedelta(hours=12),
        timedelta(days=14),
        timedelta(days=14),
    ]


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "1.5h", "7 d", "7D", "1y", "٣d", "7d\n", "1d2h"])
def test_any_other_form_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write a whole number above 0 and a unit, as in 90s 30m"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["1s", "90s", "30m", "90m", "12h", "14d", "366d"])
def test_a_duration_is_written_back_in_its_largest_unit(text: str) -> None:
    assert format_duration(parse_duration(text)) == text
    assert format_duration(timedelta(weeks=2)) == "14d"
