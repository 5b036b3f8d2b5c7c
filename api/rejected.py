"""Rejected events: read by page, counted by reason, written out with their raw bytes, and replayed (``ingest.replay``).

A choice is what ``READS`` names: reason, source, path, and when they came. Pages go from the newest to the oldest, by
(received_at, log, log_offset), so that what comes or goes meanwhile moves no page.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from api.cursor import Cursor, decode
from api.parameters import FROM, TO, Parameter
from ingest import replay
from ingest.batch import Decoder
from ingest.lake import Lake
from ingest.outcome import Outcome
from ingest.told import plain
from transforms.engine import Engine, Limits

SHOWN: Final = 4096  # bytes of a raw event in a list
AT_ONCE: Final = 1000  # rows of a page that is written out or replayed, if they have no more than
_BYTES: Final = 8 << 20
_REASONS: Final = tuple(outcome.value for outcome in Outcome if outcome.is_rejection)
REASON: Final = Parameter("reason", "Only those rejected for this reason.", "choice", _REASONS)
SOURCE: Final = Parameter("source", "Only those of this source.")
PATH: Final = Parameter("path", "Only those that came by this path, such as /v1/batch.")
CHOICE: Final = (REASON, SOURCE, PATH, FROM, TO)
COLUMNS: Final = ("received_at", "source", "path", "reason", "detail", "event_id", "log", "log_offset")
_PLAIN: Final = "split_part(split_part(path, ';', 1), '?', 1)"  # ingest.told.plain
_ORDER: Final = "order by received_at desc, log desc, log_offset desc"

Row = dict[str, Any]


@dataclass(frozen=True)
class Rejected:
    """Those of one project, as they are now; ``choice`` holds the values of CHOICE, None where nothing was asked."""

    lake: Lake
    project: str
    limits: Limits
    choice: Mapping[str, Any]

    def page(self, limit: int, after: str | None) -> tuple[list[Row], str | None]:
        """At most ``limit`` rows behind a cursor, and the next page's cursor. Raises ``Unprocessable`` for a wrong one."""
        place = _place(decode(after)) if after else None
        with self._engine() as engine:
            found = self._rows(engine, limit + 1, place)
        rows = found.to_pylist()
        return [shown(row, SHOWN) for row in rows[:limit]], _cursor(rows[limit - 1]) if len(rows) > limit else None

    def counts(self) -> list[Row]:
        """Per reason, source and path: how many, when first and last, and the newest as an example."""
        columns = f"reason, source, {_PLAIN}"
        text = f"""select reason, source, {_PLAIN} as path, count(*) as events,
            min(received_at) as first, max(received_at) as last, arg_max(detail, received_at) as detail,
            arg_max(raw, received_at) as raw
            from rejected {self._where()} group by {columns} order by events desc, {columns}"""
        with self._engine() as engine:
            return [shown(row, SHOWN) for row in engine.table(text, self._given()).to_pylist()]

    def lines(self) -> Iterator[bytes]:
        """A JSON line for each row, with all of its raw bytes."""
        for found in self.tables():
            for row in found.to_pylist():
                yield json.dumps(shown(row, None), default=_text, ensure_ascii=False).encode() + b"\n"

    def tables(self) -> Iterator[pa.Table]:
        """All rows, some at a time: AT_ONCE at most, and some megabytes."""
        place: Place | None = None
        with self._engine() as engine:
            while len(found := self._rows(engine, AT_ONCE, place)):
                found = found.slice(0, _fitting(found))
                yield found
                place = _place_of(found.slice(len(found) - 1).to_pylist()[0])

    def replay(self, decoder: Decoder, imports: Path | None, clock: Callable[[], int]) -> dict[str, Any]:
        """Decode each again; hand what is sound by now over to the flush, unless ``imports`` is None. What was found."""
        sound: Counter[str] = Counter()
        still: Counter[str] = Counter()
        folders, events = [], 0
        for found in self.tables():
            decoded = replay.rehearsed(self.project, replay.kept(found), decoder)
            fits = []
            for row, (calls, _) in decoded:
                fits.append(bool(calls))
                (sound if calls else still)[row.reason] += 1
                events += len(calls)
            chosen = found.filter(pa.array(fits, pa.bool_()))
            if imports is not None and len(chosen):
                folders.append(replay.hand_over(imports, self.project, chosen, clock))
        return {"sound": dict(sound), "events": events, "still_faulty": dict(still), "handed_over": folders}

    def _rows(self, engine: Engine, limit: int, place: Place | None) -> pa.Table:
        behind = "(received_at, log, log_offset) < ($time, $log, $log_offset)" if place else ""
        columns = ", ".join((*COLUMNS, "raw", "month"))
        given = self._given() | ({"time": place[0], "log": place[1], "log_offset": place[2]} if place else {})
        return engine.table(f"select {columns} from rejected {self._where(behind)} {_ORDER} limit {limit}", given)

    def _where(self, *more: str) -> str:
        parts = {
            "reason": "reason = $reason",
            "source": "source = $source",
            "path": f"{_PLAIN} = $path",
            "from": "received_at >= $from",
            "to": "received_at < $to",
        }
        asked = [*(parts[name] for name in self._given()), *filter(None, more)]
        return f"where {' and '.join(asked)}" if asked else ""

    def _given(self) -> dict[str, Any]:
        return {one.name: value for one in CHOICE if (value := self.choice.get(one.name)) is not None}

    def _engine(self) -> Engine:
        return Engine(self.lake, self.project, {"rejected": self.lake.version(self.project, "rejected")}, self.limits)


Place = tuple[datetime, str, int]


def shown(row: Row, most: int | None) -> Row:
    """The row with its raw bytes as text, or as ``raw_base64`` where they are none; at most so many bytes of them."""
    raw = row.pop("raw")
    row["path"] = plain(row["path"])
    row.pop("month", None)
    told = raw if most is None else raw[:most]
    cut = {"raw_bytes": len(raw)} if len(told) < len(raw) else {}
    try:
        return {**row, "raw": told.decode(), **cut}
    except UnicodeDecodeError:
        if cut:  # the end may lie within a character
            return {**row, "raw": told.decode("utf-8", "replace"), **cut}
        return {**row, "raw_base64": base64.b64encode(told).decode(), **cut}


def _fitting(found: pa.Table) -> int:
    """How many rows from the first have _BYTES together, at least one."""
    size = 0
    for at, raw in enumerate(found["raw"]):
        size += len(raw.as_buffer())
        if size > _BYTES:
            return max(at, 1)
    return len(found)


def _place_of(row: Row) -> Place:
    return row["received_at"], row["log"], row["log_offset"]


def _cursor(row: Row) -> str:
    return Cursor(0, row["received_at"], f"{row['log']} {row['log_offset']}").encode()


def _place(cursor: Cursor) -> Place:
    log, _, offset = cursor.id.rpartition(" ")
    return cursor.time, log, int(offset) if offset.isdecimal() else 0


def _text(value: object) -> str:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)
