"""Exported rows, one after another: read, told as a Segment call by their format, and judged by the one decoder of those.

So an imported call obeys the rules of one that came over HTTP, and gets the same columns from its context.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.columns import events_table
from ingest.event import month_of
from ingest.load import amplitude, mixpanel, posthog, segment
from ingest.load.detect import Found, lines
from ingest.load.plan import MAX_EVENT, Plan
from ingest.load.staged import LATER, MERGES, PERSONS, REFUSED, STAGED, Counts, Staged
from ingest.outcome import Outcome
from ingest.protocols import decode, repair
from ingest.protocols.call import Call, Reject
from ingest.record import Record
from ingest.times import AHEAD, EARLIEST

Telling = Callable[[Mapping[str, object]], Mapping[str, object]]
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_AT_ONCE: Final = 20_000
_UNNAMED: Final = ""  # an event id that no call can bring


def stage(plan: Plan, number: int, path: Path, found: Found, tell: Callable[[int], None]) -> None:
    """Stage one file of rows; ``tell`` is told of rows as they are read."""
    staged = Staged(plan.staged, number)
    judge = _Judge(plan, staged, path.name, _telling(found.format, plan.request.zone))
    for path_of_few in (staged.merges, staged.persons):  # of a try that was killed
        path_of_few.unlink(missing_ok=True)
    rows = _parquet_rows(path) if found.container == "parquet" else _lines(path)
    read = 0
    with staged.writers() as (events, refused):
        for count, line in enumerate(rows, 1):
            judge.row(count, line)
            if count % _AT_ONCE == 0:
                read += judge.write(events, refused, tell)
        read += judge.write(events, refused, tell)
    judge.close()
    if len(merges := judge.merges()):
        pq.write_table(merges, staged.merges, compression="snappy")
    staged.finish(Counts(path.name, found.format, read, dict(judge.reasons), dict(judge.months), judge.described))


class _Judge:
    """Rows on their way to what is staged."""

    def __init__(self, plan: Plan, staged: Staged, name: str, telling: Telling) -> None:
        self.reasons: Counter[str] = Counter()
        self.months: Counter[str] = Counter()
        self._plan, self._staged, self._name, self._telling = plan, staged, name, telling
        self._number = staged.number
        self._calls: list[Call] = []
        self._places: list[int] = []
        self._refused: list[tuple[Reject, int]] = []
        self._merges: list[dict[str, object]] = []
        self._merges_since = 0
        self.described = self._beside = 0  # calls that stand beside a row's own; of them not written yet
        self._described: Mapping[str, object] | None = None  # of the row at hand
        self._persons: list[dict[str, object]] = []
        self._roster: pq.ParquetWriter | None = None

    def row(self, place: int, line: bytes) -> None:
        calls, rejects = self._decoded(line, place)
        for call in calls:
            time = call.original_time if call.original_time is not None else call.sent_at
            if time is None or time < EARLIEST:
                self._refused.append(
                    (Reject(Outcome.MISSING_TIME, Outcome.MISSING_TIME.help, call.event_id or None, line), place)
                )
                continue
            call.time = time if time <= self._plan.started + AHEAD else self._plan.started
            self._calls.append(call)
            self._places.append(place)
            self._describe(call, place)
        self._refused += [(reject, place) for reject in rejects]

    def _describe(self, beside: Call, place: int) -> None:
        """What an event says of its person becomes a call at the same time; one that breaks a rule is left out."""
        if self._described is None:
            return
        for call in self._judged(repair.text(msgspec.json.encode(self._described)), b"")[0]:
            call.time = beside.time
            self._calls.append(call)
            self._places.append(place)
            self._beside += 1
        self._described = None

    def merges(self) -> pa.Table:
        """All of the file: they are few, and judged by who the events say they are when all are there."""
        return pa.Table.from_pylist(self._merges, schema=MERGES)

    def write(self, events: pq.ParquetWriter, refused: pq.ParquetWriter, tell: Callable[[int], None]) -> int:
        """What was judged since the last time; returns how many rows that is."""
        self.described += self._beside
        size = (
            len(self._calls)
            - self._beside
            + len(self._refused)
            + len(self._persons)
            + len(self._merges)
            - self._merges_since
        )
        self._merges_since = len(self._merges)
        table = events_table(self._calls, "", self._places)
        files = pa.repeat(pa.scalar(self._number, pa.int32()), len(table))
        named = table.drop_columns([name for name in LATER if name != "log_offset"]).rename_columns({"log_offset": "row"})
        named = named.append_column("file", files).select(STAGED.names)
        ids = pa.array([call.event_id or None for call in self._calls], pa.string())
        events.write_table(named.set_column(0, STAGED.field(0), ids).cast(STAGED))
        refused.write_table(self._refused_table())
        self.months.update(table["month"].to_pylist())
        self.reasons.update(reject.reason.value for reject, _ in self._refused)
        if self._persons:
            self._roster = self._roster or pq.ParquetWriter(self._staged.persons, PERSONS, compression="snappy")
            self._roster.write_table(pa.Table.from_pylist(self._persons, schema=PERSONS))
        self._calls, self._places, self._refused, self._persons, self._beside = [], [], [], [], 0
        tell(size)
        return size

    def close(self) -> None:
        if self._roster is not None:
            self._roster.close()

    def _decoded(self, line: bytes, place: int) -> tuple[list[Call], list[Reject]]:
        if len(line) > MAX_EVENT:
            found = f"{len(line)} bytes; at most {MAX_EVENT} are taken"
            return [], [Reject(Outcome.TOO_LARGE, f"{found}: {Outcome.TOO_LARGE.help}", None, line)]
        body = self._called(line, place)
        if not isinstance(body, bytes):
            return [], [] if body is None else [body]
        return self._judged(body, line)

    def _judged(self, body: bytes, line: bytes) -> tuple[list[Call], list[Reject]]:
        record = Record(self._plan.started, self._plan.request.project, self._plan.request.source, "/v1/batch", "", "", body)
        calls, rejects = decode(record, lambda _: _UNNAMED, MAX_EVENT)
        return calls, [Reject(each.reason, each.detail, each.event_id or None, line) for each in rejects]

    def _called(self, line: bytes, place: int) -> bytes | Reject | None:
        """The Segment call that a row is, as JSON; None of a merge or a person, which are none yet."""
        if self._telling is segment.call:
            return line
        try:
            row = msgspec.json.decode(repair.text(line))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            strict = repair.grammar(repair.text(line))
            row = None if strict is None else repair.loads(strict)
            if strict is None:
                return Reject(Outcome.UNREADABLE, Outcome.UNREADABLE.help, None, line)
        if not isinstance(row, dict):
            return Reject(Outcome.NOT_AN_OBJECT, Outcome.NOT_AN_OBJECT.help, None, line)
        if self._telling is amplitude.call and amplitude.MERGED in row:
            return self._merge(row, line, place)
        if self._telling is posthog.call and posthog.is_person(row):
            return self._person(row, line, place)
        self._described = posthog.described(row) if self._telling is posthog.call else None
        return repair.text(msgspec.json.encode(self._telling(row)))

    def _merge(self, row: Mapping[str, object], line: bytes, place: int) -> Reject | None:
        told = amplitude.merge(row)
        if told.time is None or told.time < EARLIEST:
            return Reject(Outcome.MISSING_TIME, Outcome.MISSING_TIME.help, None, line)
        if told.gone is None or told.heir is None:
            return Reject(Outcome.MISSING_IDENTITY, "a merge names amplitude_id and merged_amplitude_id", None, line)
        time, started = (EPOCH + timedelta(microseconds=each) for each in (told.time, self._plan.started))
        where = {"path": f"import:{self._name}", "raw": line, "file": self._number, "row": place}
        self._merges.append({"gone": told.gone, "heir": told.heir, "time": time, "month": month_of(time, started), **where})
        return None

    def _person(self, row: Mapping[str, object], line: bytes, place: int) -> Reject | None:
        """Judged as the identify call that it will be, if the events show who it is."""
        told = posthog.person(row)
        calls, rejects = self._judged(repair.text(msgspec.json.encode(told.call)), line)
        if rejects or told.person is None:
            return next(
                iter(rejects), Reject(Outcome.MISSING_IDENTITY, "a person has a distinct_id and a person_id", None, line)
            )
        if told.deleted:
            return Reject(Outcome.MISSING_IDENTITY, "this person was deleted in PostHog", None, line)
        where = {"path": f"import:{self._name}", "raw": line, "file": self._number, "row": place}
        [call] = calls
        given = {"sender": call.user_id, "person": told.person, "versions": told.versions, "properties": call.properties}
        self._persons.append({**given, **where})
        return None

    def _refused_table(self) -> pa.Table:
        columns = {
            "path": [f"import:{self._name}" for _ in self._refused],
            "reason": [reject.reason.value for reject, _ in self._refused],
            "detail": [f"line {place}: {reject.detail}" for reject, place in self._refused],
            "event_id": [reject.event_id for reject, _ in self._refused],
            "raw": [reject.raw for reject, _ in self._refused],
            "file": [self._number for _ in self._refused],
            "row": [place for _, place in self._refused],
        }
        return pa.table(columns, schema=REFUSED)


def _telling(name: str, zone: str) -> Telling:
    tellings: dict[str, Telling] = {
        "segment": segment.call,
        "posthog": posthog.call,
        "mixpanel": partial(mixpanel.call, zone=zone),
        "amplitude": amplitude.call,
    }
    return tellings[name]


def _lines(path: Path) -> Iterator[bytes]:
    with lines(path) as found:
        for line in found:
            if stripped := line.strip():
                yield stripped


def _parquet_rows(path: Path) -> Iterator[bytes]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_AT_ONCE):
            for row in batch.to_pylist():
                yield msgspec.json.encode(row)
