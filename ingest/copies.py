"""Copies of late events: looked for in the lake, where the index has forgotten them.

Decision. Context: of copies in one month only one may stand, however long apart they came, and the index must not grow with
the age of a project. Choice: it keeps some two months of receipts; an event whose month began before that (one that comes
weeks late) is looked for among the ids of its month in the lake, before it is stored, so that the promise holds at any
moment and not from the next night on. Price: such a group reads the column ``event_id`` of the months it names; events in
time never pay it. Measured (``make bench-lake``), of processor time and whatever the number of late events: 0.1 s a million
ids, so for one month of a year of 1, 10 and 100 million events 30 ms, 0.1 s and 0.5 s. Tried in thought and dropped: a
filter per closed period (1.2 bytes an event for ever), a nightly removal (copies would stand until then).

A group that is done again after a crash finds its own events in the lake: a row at the event's own place in its own log is
not its copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow.compute as pc
from pyarrow.dataset import ParquetFragmentScanOptions

from ingest.lake import Lake

# Arrow reads ahead, by files and by whole columns: 1.4 GB for three months of 18 million events. So it is 0.2 GB.
_LITTLE_AT_ONCE: Final[Mapping[str, Any]] = {
    "batch_readahead": 2,
    "fragment_readahead": 1,
    "fragment_scan_options": ParquetFragmentScanOptions(pre_buffer=False),
}


def in_lake(lake: Lake, project: str, late: Mapping[int, tuple[str, str]], log: str, offsets: Sequence[int]) -> set[int]:
    """Of late events, by position (event id, month as ``2026-01``), those that the lake has from another place.

    ``offsets`` are their places in ``log``.
    """
    stored = lake.dataset(project, "events") if late else None
    if stored is None:
        return set()
    ids = sorted({event_id for event_id, _ in late.values()})
    months = sorted({month for _, month in late.values()})
    wanted = pc.field("month").isin(months) & pc.field("event_id").isin(ids)
    rows = stored.scanner(["event_id", "month", "log", "log_offset"], filter=wanted, **_LITTLE_AT_ONCE)
    places: dict[tuple[str, str], set[tuple[str, int]]] = {}
    for row in rows.to_table().to_pylist():
        places.setdefault((row["event_id"], row["month"]), set()).add((row["log"], row["log_offset"]))
    return {at for at, key in late.items() if places.get(key, set()) - {(log, offsets[at])}}
