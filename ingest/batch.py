"""What a group of segments holds, decoded and parted by project: the unit in which the flush writes to the lake."""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache, partial

import numpy as np
import pyarrow as pa

from ingest import columns
from ingest.asked import path_of
from ingest.columns import RejectedEvent
from ingest.copies import Displaced, Settled, compare, in_lake
from ingest.ids import HOUR, Claim, Sighting, Tally
from ingest.lake import Lake
from ingest.outcome import Outcome
from ingest.protocols import name_of
from ingest.protocols.call import Call, Made, Reject, received
from ingest.protocols.family import Decoded
from ingest.record import Record
from ingest.tombstones import Tombstones

Decoder = Callable[[Record, Callable[[int], str]], Decoded]

logger = logging.getLogger(__name__)

_SEGMENT_BITS = 24  # of log_offset; the rest is the segment's number


@dataclass
class Batch:
    """The events of one project, in the order in which they came."""

    project: str
    received_at: int  # of its first record
    calls: list[Call] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)  # of the calls
    rejected: list[RejectedEvent] = field(default_factory=list)
    tallies: Counter[Tally] = field(default_factory=Counter)
    displaced: list[Displaced] = field(default_factory=list)  # rows of the lake in whose place some of the calls are
    measured: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # by source, protocol and outcome, for a meter
    _won: list[Call] = field(default_factory=list)  # the calls that are in their place
    _spans: list[int] = field(default_factory=list)  # offsets from which on
    _protocols: list[str] = field(default_factory=list)  # these were the senders' protocols

    def add(self, record: Record, offset: int, decoded: Decoded) -> int:
        """Take what ``record`` held, whose first event lies at ``offset``; returns how many events it had."""
        calls, rejects = decoded
        hour = record.received_at // HOUR
        protocol = name_of(record.path)
        if not self._protocols or self._protocols[-1] != protocol:
            self._spans.append(offset)
            self._protocols.append(protocol)
        self.calls += calls
        self.offsets += range(offset, offset + len(calls))
        if calls:
            sent = received(calls)
            self.tallies[Tally(self.project, hour, record.source, Outcome.ACCEPTED.label)] += sent
            self.measured[record.source, protocol, Outcome.ACCEPTED.label] += sent
        paths = cache(partial(path_of, record))
        for at, reject in enumerate(rejects, offset + len(calls)):
            if reject.reason.is_rejection:
                path = paths(reject.raw == record.body)
                self.rejected.append(RejectedEvent(reject, record.received_at, record.source, path, at))
            self.tallies[Tally(self.project, hour, record.source, reject.reason.label)] += 1
            self.measured[record.source, protocol, reject.reason.label] += 1
        return len(calls) + len(rejects)

    def keep_out(self, tombstones: Tombstones) -> None:
        """Drop what came under a forgotten id, before anything of it is noted."""
        kept = [tombstones.admits(self.project, call) for call in self.calls]
        for at in (at for at, stays in enumerate(kept) if not stays):
            self._recount_call(at, Outcome.FORGOTTEN)
        self.offsets = [offset for offset, stays in zip(self.offsets, kept, strict=True) if stays]
        self.calls = [call for call, stays in zip(self.calls, kept, strict=True) if stays]
        known = [tombstones.admits_raw(self.project, event.reject.raw) for event in self.rejected]
        for event in (event for event, stays in zip(self.rejected, known, strict=True) if not stays):
            self._recount(event.received_at, event.source, event.log_offset, event.reject.reason, Outcome.FORGOTTEN)
        self.rejected = [event for event, stays in zip(self.rejected, known, strict=True) if stays]

    def _recount(self, received_at: int, source: str, offset: int, before: Outcome, after: Outcome) -> None:
        hour, span = received_at // HOUR, bisect_right(self._spans, offset)
        protocol = self._protocols[span - 1] if span else ""
        self.tallies[Tally(self.project, hour, source, before.label)] -= 1
        self.tallies[Tally(self.project, hour, source, after.label)] += 1
        self.measured[source, protocol, before.label] -= 1
        self.measured[source, protocol, after.label] += 1

    def _recount_call(self, at: int, after: Outcome) -> None:
        """The ``at``-th call ended otherwise; one that nobody sent by itself was not counted."""
        call = self.calls[at]
        if type(call) is not Made:
            self._recount(call.received_at, call.source, self.offsets[at], Outcome.ACCEPTED, after)

    def drop_copies(self, claim: Claim, lake: Lake, log: str) -> None:
        """Keep the calls that are no copies, and enter them, with all outcomes, into ``claim``.

        Of two copies one is counted as such, the one that came to light later: a call that displaces a row of the lake is
        counted as a duplicate where it came, and kept.
        """
        settled = self._compare(claim, lake, log)
        copies, self.displaced = settled.copies, settled.displaced
        self._won = [self.calls[at] for at in settled.won]
        for at in copies | settled.won:
            self._recount_call(at, Outcome.DUPLICATE)
        if copies:
            self.calls = [call for at, call in enumerate(self.calls) if at not in copies]
            self.offsets = [offset for at, offset in enumerate(self.offsets) if at not in copies]
        claim.tallies.update(self.tallies)

    def accepted(self) -> list[Call]:
        """The calls that are kept and counted as accepted; the others are in a copy's place, which was."""
        won = {id(call) for call in self._won}
        return [call for call in self.calls if id(call) not in won]

    def _compare(self, claim: Claim, lake: Lake, log: str) -> Settled:
        months = columns.months([call.time for call in self.calls], [call.received_at for call in self.calls])
        numbers = months.astype(np.int64).tolist()
        seen = [Sighting(call.event_id, call.received_at, month) for call, month in zip(self.calls, numbers, strict=True)]
        settled = compare(claim, lake, self.project, seen, log, self.offsets)
        told = settled.copies | settled.won
        late = {at: (one.event_id, str(months[at])) for at, one in enumerate(seen) if at not in told and claim.is_late(one)}
        settled.copies |= in_lake(lake, self.project, late, log, self.offsets)
        return settled

    def tables(self, log: str) -> list[tuple[str, pa.Table]]:
        """What the lake gets, by table name; none for a table without rows."""
        tables = []
        if self.calls:
            tables.append(("events", columns.events_table(self.calls, log, self.offsets)))
        if self.rejected:
            tables.append(("rejected", columns.rejected_table(self.rejected, log)))
        return tables


def batches(segments: Iterable[tuple[int, Iterable[tuple[int, Record]]]], log: str, decode: Decoder) -> list[Batch]:
    """Part the records of (number, records) segments by project. Decoding them again gives the same batches."""
    by_project: dict[str, Batch] = {}
    for number, records in segments:
        offset = number << _SEGMENT_BITS
        for _, record in records:
            batch = by_project.get(record.project)
            if batch is None:
                batch = by_project[record.project] = Batch(record.project, record.received_at)
            offset += batch.add(record, offset, decoded(decode, record, _mint(log, offset)))
    return list(by_project.values())


def decoded(decode: Decoder, record: Record, mint: Callable[[int], str]) -> Decoded:
    """A decoder never raises; should one have a bug, its record is kept as a reject and does not hold up the log."""
    try:
        return decode(record, mint)
    except Exception as error:
        family = record.path.split("/", 2)[1]  # what follows was sent
        logger.exception("a decoder failed; the request is kept in rejected", extra={"family": family})
        detail = f"the decoder of {record.path} failed ({error!r}): report this, and replay the request after the fix"
        return [], [Reject(Outcome.UNREADABLE, detail, None, record.body)]


def _mint(log: str, offset: int) -> Callable[[int], str]:
    return lambda at: f"{log}-{offset + at:x}"
