"""One answer, three formats: JSON (default), CSV and Arrow, by ``Accept`` or ``?format=json|csv|arrow``.

JSON is the answer as it is; CSV and Arrow are its rows, flat: a list's items, a funnel's steps (per group, where it has
groups), a metric's total, series and groups. A nested value gets its path as its name: ``seconds_from_previous_median``;
an interval becomes ``interval_low`` and ``interval_high``, the times of a funnel's steps ``time_1``, ``time_2``, ...
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.errors import Detail, Unprocessable

Format = Literal["json", "csv", "arrow"]
TYPES: Final[dict[Format, str]] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "arrow": "application/vnd.apache.arrow.stream",
}
Row = dict[str, object]


def wanted(request: Request) -> Format:
    """The format of the answer; raises ``Unprocessable`` for one that does not exist."""
    asked = request.query_params.get("format")
    if asked is None:
        return _preferred(request.headers.get("accept", ""))
    for name in TYPES:
        if asked == name:
            return name
    raise Unprocessable("format: json, csv or arrow.", [Detail("format", asked, list(TYPES), "choose one of these")])


def _preferred(accept: str) -> Format:
    """The one of ours with the greatest ``q``, of several the one named first; JSON for whoever asks for none of them."""
    best: tuple[float, Format] = (0.0, "json")
    for part in accept.lower().split(","):
        content_type, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((_weight(one[2:]) for one in parameters if one.startswith("q=")), 1.0)
        for name, ours in TYPES.items():
            if content_type == ours.partition(";")[0] and weight > best[0]:
                best = (weight, name)
    return best[1]


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0


def respond(request: Request, answer: Mapping[str, Any], columns: Sequence[str] = ()) -> Response:
    """The answer in the format that was asked for; 304 where the caller has the very same one.

    ``columns`` head a table without rows.
    """
    chosen = wanted(request)
    body = to_json(answer) if chosen == "json" else (to_csv if chosen == "csv" else to_arrow)(answer, columns)
    tag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept, Authorization"}
    if request.method == "GET" and tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=TYPES[chosen], headers=headers)


def to_json(answer: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(answer, enc_hook=_plain)


def to_csv(answer: Mapping[str, Any], columns: Sequence[str] = ()) -> bytes:
    found = list(rows(answer))
    names = _names(found) or columns
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in found)
    return text.getvalue().encode("utf-8", "replace")


def to_arrow(answer: Mapping[str, Any], columns: Sequence[str] = ()) -> bytes:
    import pyarrow as pa

    found = list(rows(answer))
    names = _names(found) or columns
    arrays = {}
    for name in names:
        cells = [row.get(name) for row in found]
        try:
            arrays[name] = pa.array(cells)
        except pa.ArrowException:  # a property that is a number here and a text there
            arrays[name] = pa.array([None if cell is None else str(_cell(cell)) for cell in cells])
    table = pa.table(arrays)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def rows(answer: Mapping[str, Any]) -> Iterable[Row]:
    """The rows that an answer is about."""
    if "items" in answer:
        return [_flat(item) for item in answer["items"]]
    if "metric" in answer:
        return _metric_rows(answer)
    if "steps" in answer:
        return _funnel_rows(answer)
    return [_flat(answer)]


def _names(found: Iterable[Row]) -> list[str]:
    """The columns; without one that is empty wherever it is not spread over columns of its own."""
    names = list(dict.fromkeys(name for row in found for name in row))
    spread = {name for name in names if any(other.startswith(f"{name}_") for other in names)}
    return [name for name in names if name not in spread or any(row.get(name) is not None for row in found)]


def _funnel_rows(answer: Mapping[str, Any]) -> list[Row]:
    found = [_flat({"group": None, "step": n, **_timed(step)}) for n, step in enumerate(answer["steps"], 1)]
    for group in answer.get("groups") or ():
        name = "(other)" if group.get("other") else " / ".join("" if v is None else str(v) for v in group["values"])
        found += [_flat({"group": name, "step": n, **_timed(step)}) for n, step in enumerate(group["steps"], 1)]
    return found


def _timed(step: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same columns whether or not anybody took the step."""
    return {**step, "seconds_from_previous": step["seconds_from_previous"] or dict.fromkeys(("median", "p90", "mean"))}


def _metric_rows(answer: Mapping[str, Any]) -> list[Row]:
    columns = ("value", "numerator", "denominator", "interval", "reason", "complete")

    def row(part: str, source: Mapping[str, Any], start: object = None, group: object = None) -> Row:
        return _flat({"part": part, "start": start, "group": group, **{c: source.get(c) for c in columns}})

    found = [row("total", answer)]
    found += [row("series", point, start=point["start"]) for point in answer.get("series") or ()]
    for group in answer.get("groups") or ():
        found.append(row("group", group, group=" / ".join("" if v is None else str(v) for v in group["values"])))
    return found


def _flat(source: Mapping[str, Any], prefix: str = "") -> Row:
    row: Row = {}
    for name, value in source.items():
        if isinstance(value, Mapping):
            row |= _flat(value, f"{prefix}{name}_")
        elif name == "interval":
            low, high = value or (None, None)
            row |= {f"{prefix}interval_low": low, f"{prefix}interval_high": high}
        elif name == "times" and isinstance(value, list | tuple):  # a metric's settings have a number of that name
            row |= {f"{prefix}time_{number}": time for number, time in enumerate(value, 1)}
        elif isinstance(value, list | tuple):
            row[prefix + name] = to_json({"v": value})[5:-1].decode()
        else:
            row[prefix + name] = value
    return row


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, bool):
        return json.dumps(value)
    return value


def _plain(value: object) -> object:
    """What msgspec does not know: numbers of numpy, mostly."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no JSON form")
