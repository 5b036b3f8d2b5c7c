"""Copies that only the lake can tell: those of late events, which the index has forgotten, and contests.

Decision. Context: of copies in one month only one may stand, however long apart they came, and the index must not grow with
the age of a project. Choice: it keeps some two months of receipts; an event whose month began before that (one that comes
weeks late) is looked for among the ids of its month in the lake, before it is stored, so that the promise holds at any
moment and not from the next night on. Price: such a group reads the column ``event_id`` of the months it names; events in
time never pay it. Measured (``make bench-lake``), of processor time and whatever the number of late events: 0.1 s a million
ids, so for one month of a year of 1, 10 and 100 million events 30 ms, 0.1 s and 0.5 s. Tried in thought and dropped: a
filter per closed period (1.2 bytes an event for ever), a nightly removal (copies would stand until then).

A contest (``ids.Contest``) pays the same: who came first is read from the rows of its id (``contest.decide``).

A group that is done again after a crash finds its own events in the lake: a row at the event's own place in its own log is
not its copy.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.dataset import ParquetFragmentScanOptions

from ingest.contest import Place, decide
from ingest.ids import Claim, Contest, Sighting
from ingest.lake import Lake

# Arrow reads ahead, by files and by whole columns: 1.4 GB for three months of 18 million events. So it is 0.2 GB.
_LITTLE_AT_ONCE: Final[Mapping[str, Any]] = {
    "batch_readahead": 2,
    "fragment_readahead": 1,
    "fragment_scan_options": ParquetFragmentScanOptions(pre_buffer=False),
}


@dataclass(frozen=True)
class Displaced:
    """A row of the lake that gives way to a smaller copy."""

    event_id: str
    place: Place


@dataclass
class Settled:
    """Positions of ``copies``, and of those that ``won`` against rows of the lake, which are ``displaced``."""

    copies: set[int] = field(default_factory=set)
    won: set[int] = field(default_factory=set)
    displaced: list[Displaced] = field(default_factory=list)


def compare(
    claim: Claim, lake: Lake, project: str, sightings: Sequence[Sighting], log: str, offsets: Sequence[int]
) -> Settled:
    """Enters events of ``log`` at ``offsets`` into ``claim``, and says which of them are not to be stored."""
    copies, contests = claim.compare(project, sightings)
    settled = Settled(copies)
    stored = _stored(lake, project, sightings, contests)
    for contest in contests:
        one = [sightings[at] for at in contest.positions]
        newcomers = [
            Place(each.received_at, log, offsets[at], each.month) for at, each in zip(contest.positions, one, strict=True)
        ]
        event_id = one[0].event_id
        verdict = decide(newcomers, stored.get(event_id, ()), contest.seen, claim.limit)
        claim.settle(contest, verdict.seen)
        settled.copies |= {at for number, at in enumerate(contest.positions) if number not in verdict.kept}
        settled.won |= {contest.positions[number] for number in verdict.won}
        settled.displaced += [Displaced(event_id, place) for place in verdict.displaced]
    return settled


def in_lake(lake: Lake, project: str, late: Mapping[int, tuple[str, str]], log: str, offsets: Sequence[int]) -> set[int]:
    """Of late events, by position (event id, month as ``2026-01``), those that the lake has from another place.

    ``offsets`` are their places in ``log``.
    """
    if not late:
        return set()
    ids, months = {event_id for event_id, _ in late.values()}, {month for _, month in late.values()}
    places: dict[tuple[str, str], set[tuple[str, int]]] = {}
    for row in rows_of(lake, project, ids, months, ["event_id", "month", "log", "log_offset"]):
        places.setdefault((row["event_id"], row["month"]), set()).add((row["log"], row["log_offset"]))
    return {at for at, key in late.items() if places.get(key, set()) - {(log, offsets[at])}}


def rows_of(
    lake: Lake,
    project: str,
    ids: Collection[str],
    months: Collection[str],
    columns: Sequence[str],
    version: int | None = None,
) -> list[dict[str, Any]]:
    """The events of these ids in these months of a version; ``__filename``, the path within the table, is a column, too."""
    stored = lake.dataset(project, "events", version) if ids else None
    if stored is None:
        return []
    # Cast, since Arrow cannot compare what a file's footer tells of a column of string views, which Delta's delete writes.
    event_id, asked = pc.field("event_id").cast(pa.large_string()), pa.array(sorted(ids), pa.large_string())
    wanted = pc.field("month").isin(sorted(months)) & event_id.isin(asked)
    found: list[dict[str, Any]] = stored.scanner(columns, filter=wanted, **_LITTLE_AT_ONCE).to_table().to_pylist()
    return found


def month_name(month: int) -> str:
    """``2026-01`` of a month counted from January 1970."""
    return f"{1970 + month // 12}-{month % 12 + 1:02}"


def month_number(name: str) -> int:
    return (int(name[:4]) - 1970) * 12 + int(name[5:]) - 1


def _stored(
    lake: Lake, project: str, sightings: Sequence[Sighting], contests: Sequence[Contest]
) -> Mapping[str, list[Place]]:
    """The rows of the contested ids, in their own months and those that the index knows."""
    ids = {sightings[contest.positions[0]].event_id for contest in contests}
    months = {month for contest in contests for _, month in contest.seen}
    months |= {sightings[at].month for contest in contests for at in contest.positions}
    columns = ["event_id", "received_at", "log", "log_offset", "month"]
    places: dict[str, list[Place]] = {}
    for row in rows_of(lake, project, ids, {month_name(month) for month in months}, columns):
        received_at = pa.scalar(row["received_at"], pa.timestamp("us", tz="UTC")).value
        place = Place(received_at, row["log"], row["log_offset"], month_number(row["month"]))
        places.setdefault(row["event_id"], []).append(place)
    return places
