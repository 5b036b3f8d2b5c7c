"""The sender's times: read in every form SDKs write them, and corrected for a clock that is wrong.

Segment's rule is ``time = received_at - (sent_at - timestamp)``. The skew ``received_at - sent_at`` holds the way over the
network, too, which would shuffle the events of one sender by their requests' latency; rounded to five minutes it only moves
clocks that are truly wrong (PostHog's rule, and the complaint PostHog/posthog#98250 about the rule without rounding).
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

SECOND: Final = 1_000_000
SKEW_STEP: Final = 300 * SECOND
EARLIEST: Final = 631_152_000 * SECOND  # 1990: what an SDK calls earlier is a clock that was never set, or a 0
AHEAD: Final = 24 * 3600 * SECOND  # a sender further in the future than this does not know the time

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST: Final = 253_402_300_800 * SECOND  # year 10000
_FIRST: Final = -62_135_596_800 * SECOND  # year 1: Python's, and so most readers', dates begin there


def micros(value: str | float | None) -> int | None:
    """Microseconds since the epoch, of an ISO 8601 or RFC 2822 text (without offset: UTC) or an epoch number, or None.

    A number's size tells its unit: seconds below 1e11 (the year 5138), milliseconds below 1e14, then micro- and nanoseconds.
    """
    if not isinstance(value, str):
        return None if value is None else _number(value)
    if len(value) == 13 and value.isdecimal() and value.isascii():  # milliseconds, as some SDKs send with each event
        return int(value) * 1_000
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return _odd(value)
    if moment.tzinfo is None:
        if value.isdigit():  # "1700000000000" and "20260102" are both digits: eight are a date
            return _number(float(value)) if len(value) != 8 else _since_epoch(moment.replace(tzinfo=UTC))
        moment = moment.replace(tzinfo=UTC)
    return _since_epoch(moment)


def corrected(original: int | None, sent_at: int | None, received_at: int) -> int:
    """When it happened by our clock, from the sender's clock at the event and at the sending.

    A time outside sense, before EARLIEST or further than AHEAD in the future, is that of the arrival.
    """
    if original is None:
        return received_at
    skew = 0 if sent_at is None else (received_at - sent_at + SKEW_STEP // 2) // SKEW_STEP * SKEW_STEP
    time = original + skew
    return time if EARLIEST <= time <= received_at + AHEAD else received_at


def _since_epoch(moment: datetime) -> int | None:
    """None where the offset leads out of the years that there are: ``0001-01-01T00:00+14:00``."""
    passed = moment - _EPOCH
    result = (passed.days * 86_400 + passed.seconds) * SECOND + passed.microseconds
    return result if _FIRST <= result < LAST else None


def _odd(value: str) -> int | None:
    if value != (stripped := value.strip()):
        return micros(stripped)
    try:
        return _number(float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    return _since_epoch(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _number(value: float) -> int | None:
    size = abs(value)
    if not size < 1e20:  # also NaN
        return None
    per_unit = SECOND if size < 1e11 else 1_000 if size < 1e14 else 1 if size < 1e17 else 1e-3
    result = round(value * per_unit)
    return result if _FIRST <= result < LAST else None
