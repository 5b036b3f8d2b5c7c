"""Calls and rejects as Arrow tables of ``event.EVENTS`` and ``event.REJECTED``.

Column by column, since a Python object per cell and row would cost more than decoding did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ingest.event import EVENTS, FIRST_MONTH, REJECTED
from ingest.protocols.call import Call, Reject

_FROM_CALL: Final = Call.__struct_fields__
_AT_ONCE: Final = 128  # calls turned into columns while the processor's cache has them; all at once takes thrice as long
_MICROSECONDS_31_DAYS: Final = np.timedelta64(31, "D")

assert tuple(EVENTS.names) == (*_FROM_CALL, "log", "log_offset", "month")


@dataclass(frozen=True, slots=True)
class RejectedEvent:
    """A reject with what only its record knows. ``log_offset``: (segment << 24) + ordinal in the segment."""

    reject: Reject
    received_at: int
    source: str
    path: str
    log_offset: int


def events_table(calls: Sequence[Call], log: str, offsets: Sequence[int]) -> pa.Table:
    """One row per call, in their order; ``offsets`` go with them."""
    columns = _columns(calls)
    arrays = [pa.array(column, EVENTS.field(name).type) for name, column in zip(_FROM_CALL, columns, strict=True)]
    times, received = columns[_FROM_CALL.index("time")], columns[_FROM_CALL.index("received_at")]
    arrays += [_repeat(log, len(calls)), pa.array(offsets, pa.int64()), _months(times, received)]
    return pa.Table.from_arrays(arrays, schema=EVENTS)


def _columns(calls: Sequence[Call]) -> list[list[Any]]:
    """The values of each field of ``calls``."""
    columns: list[list[Any]] = [[] for _ in _FROM_CALL]
    for first in range(0, len(calls), _AT_ONCE):
        rows = map(msgspec.structs.astuple, calls[first : first + _AT_ONCE])
        for column, values in zip(columns, zip(*rows, strict=True), strict=True):
            column += values
    return columns


def rejected_table(rows: Sequence[RejectedEvent], log: str) -> pa.Table:
    received = [row.received_at for row in rows]
    arrays = [
        pa.array(received, REJECTED.field("received_at").type),
        pa.array([row.source for row in rows], pa.string()),
        pa.array([row.path for row in rows], pa.string()),
        pa.array([row.reject.reason.value for row in rows], pa.string()),
        pa.array([row.reject.detail for row in rows], pa.string()),
        pa.array([row.reject.event_id for row in rows], pa.string()),
        pa.array([row.reject.raw for row in rows], pa.binary()),
        _repeat(log, len(rows)),
        pa.array([row.log_offset for row in rows], pa.int64()),
        _months(received, received),
    ]
    return pa.Table.from_arrays(arrays, schema=REJECTED)


def _repeat(text: str, times: int) -> pa.Array:
    return pa.repeat(pa.scalar(text, pa.string()), times)


def months(times: Sequence[int], received: Sequence[int]) -> NDArray[np.datetime64]:
    """``event.month_of`` for whole columns of microseconds; as numbers they count from January 1970."""
    latest = (np.array(received, "datetime64[us]") + _MICROSECONDS_31_DAYS).astype("datetime64[M]")
    own = np.array(times, "datetime64[us]").astype("datetime64[M]")
    clamped: NDArray[np.datetime64] = np.minimum(np.maximum(own, np.datetime64(FIRST_MONTH, "M")), latest)
    return clamped


def _months(times: Sequence[int], received: Sequence[int]) -> pa.Array:
    names, places = np.unique(months(times, received), return_inverse=True)
    return pa.array(np.datetime_as_string(names, unit="M"), pa.string()).take(pa.array(places))
