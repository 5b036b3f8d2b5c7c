"""Whose days are made again, and from which events: the closure of what moved, and one look at the lake for all who read it.

    spans         person_id, since, until: a stretch of time outside of which no session of theirs can differ
    day_spans     person_id, since, until: the days of the zone that hold the span, and those a membership decides anew
    stale_events  the events of these persons on these days: columns that sessions and days read
    span_events   those of them within the spans

A span begins as the hull of a person's events that moved. It grows by every stored session that is no more than a session's
silence away from it, whatever its source, until none is: what is outside stays apart from what is inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from urllib.parse import unquote

import pyarrow as pa

from ingest.lake import Lake
from transforms.engine import Engine, parquet

_COLUMNS: Final = """
events.event_id, events.kind, events.event, events.time, events.actor_id, events.account_id, events.source, events.bot,
events.page_url, events.page_path, events.page_referrer, events.utm_source, events.utm_medium
"""
_COARSE: Final = timedelta(seconds=1)  # the log of a table may tell times to the millisecond
_EVER: Final = "timestamptz '9999-12-30 00:00:00+00'"
_SILENCE: Final = "interval '30' minute"

_SPANS: Final = f"""
select person_id, min(since) as since, max(until) as until
from (
    select person_id, time as since, time as until from {{moved}}
    union all
    select person_id, since, {_EVER} from rejoined where $repair
)
group by person_id
"""
_GROWN: Final = """
with near as materialized (
    select person_id, started, ended from base.sessions semi join growing using (person_id)
    where started <= {greatest} + {silence} and ended >= {least} - {silence}
)
select
    spans.person_id, min(least(spans.since, near.started)) as since, max(greatest(spans.until, near.ended)) as until
from spans
join growing using (person_id)
join near on near.person_id = spans.person_id
    and near.started <= spans.until + {silence} and near.ended >= spans.since - {silence}
group by spans.person_id, spans.since, spans.until
having min(near.started) < spans.since or max(near.ended) > spans.until
"""
_WIDER: Final = """
select person_id, coalesce(grown.since, spans.since) as since, coalesce(grown.until, spans.until) as until
from spans left join grown using (person_id)
"""
_DAY_SPANS: Final = """
select person_id, min(since) as since, max(until) as until
from (
    select person_id, cast(since at time zone $zone as date) as since, cast(until at time zone $zone as date) as until
    from spans
    union all
    select person_id, cast(min(since) at time zone $zone as date), date '9999-12-30'
    from changed_sole_memberships
    where $repair
    group by person_id
)
group by person_id
"""
# The borders of a day are told by the day of the moment itself where the clocks may be changed around them.
_WANTED: Final = """
select
    actors.actor_id, day_spans.person_id, day_spans.since as first_day, day_spans.until as last_day,
    (cast(day_spans.since as timestamp) at time zone $zone) - interval '4' hour as since,
    (cast(day_spans.until + 1 as timestamp) at time zone $zone) + interval '4' hour as until,
    (cast(day_spans.since as timestamp) at time zone $zone) + interval '4' hour as inner_since,
    (cast(day_spans.until + 1 as timestamp) at time zone $zone) - interval '4' hour as inner_until
from day_spans join base.actors on actors.person_id = day_spans.person_id
"""
# A scan that is told a few ids reads the other columns around their rows alone; as a side of a join it would read all.
_FEW: Final = 1_000
_NEAR: Final = "select {columns} from base.events where {wanted}"
# Times that lie close together tell the row groups to be read. Far apart they would be looked at in all of them.
_CLOSE: Final = timedelta(days=31)
_BETWEEN: Final = "events.time between {least} and {greatest}"
_FOUND: Final = """
select wanted.person_id, {columns}
from {events} events join wanted on wanted.actor_id = events.actor_id
where events.time between {least} and {greatest} and events.time between wanted.since and wanted.until and (
    events.time between wanted.inner_since and wanted.inner_until
    or cast(events.time at time zone '{zone}' as date) between wanted.first_day and wanted.last_day
)
"""
# Up to when a part can touch what earlier ones, whose last event is at $edge, made: silence, or the rest of the day, with
# the hours by which clocks may be changed.
_BORDER: Final = f"""
select cast($edge at time zone $zone as date) as day,
    greatest($edge + {_SILENCE}, cast(cast($edge at time zone $zone as date) + 1 as timestamp) at time zone $zone)
        + interval '4' hour as until
"""
# All of a person's events in the part, if one is at the border.
_AT_THE_BORDER: Final = "(select person_id, time from part_events semi join bordering using (person_id))"


_IN_SPANS: Final = """
select day_events.* exclude (person_id)
from day_events join spans on spans.person_id = day_events.person_id
where day_events.time between spans.since and spans.until
"""


@dataclass(frozen=True)
class Part:
    """The events of a month, as a relation of a query; none is before ``least`` or after ``greatest``; None: who knows."""

    month: str
    relation: str
    least: datetime | None = None
    greatest: datetime | None = None


def parts(lake: Lake, project: str, version: int | None) -> list[Part]:
    """One version of events, by month, the oldest first."""
    handle = None if version is None else lake.open(project, "events", version)
    if handle is None:
        return []
    told = pa.table(handle.get_add_actions(flatten=True))
    names = ("path", "partition.month", "min.time", "max.time")
    columns = [(told[name] if name in told.column_names else pa.nulls(told.num_rows)).to_pylist() for name in names]
    months: dict[str, list[_File]] = {}
    for path, month, least, greatest in zip(*columns, strict=True):
        months.setdefault(month, []).append(_File(unquote(path), least, greatest))
    return [_part(lake, project, month, files) for month, files in sorted(months.items())]


def prepare(engine: Engine, events: Sequence[Part], zone: str) -> None:
    """Makes the relations above for a repair, from ``moved``, ``rejoined`` and ``changed_sole_memberships``."""
    _find(engine, "moved", zone, repair=True)
    _look_up(engine, events, zone, every=True)
    engine.view("stale_events", "select * exclude (person_id) from day_events")
    engine.view("span_events", _IN_SPANS)


def prepare_part(engine: Engine, events: Sequence[Part], part: Part, zone: str, *, alone: bool = False) -> None:
    """Makes the relations above for tables that are filled from nothing, of ``part_events``, the events of ``part``.

    ``events``: all parts, in the order in which they are filled. All events of ``part`` are stale, and are read where they
    lie, as often as somebody asks. ``spans`` and ``day_spans`` have those persons alone who may go on with a session or a
    day of the parts before; those of their events are kept.

    ``alone``: beside tables by day that were there before, whose rows a fill does not know. Then these are all persons.

    ``border`` is a row: the first moment that touches nothing of what is stored (``until``), and the last ``day`` that may.
    """
    before = events[: events.index(part)]
    _find_border(engine, before, zone, alone)
    _find(engine, _AT_THE_BORDER, zone, repair=False)
    _look_up(engine, before, zone)
    own = f"select {_COLUMNS} from {part.relation} events"
    engine.view("stale_events", f"{own} union all select * exclude (person_id) from day_events")
    engine.view("span_events", f"{own} union all {_IN_SPANS}")


def _find_border(engine: Engine, before: Sequence[Part], zone: str, alone: bool) -> None:
    told = [part.greatest for part in before if part.greatest is not None]
    if alone or not before or len(told) < len(before):
        ever = "9999-12-30" if alone or before else "0001-01-01"
        engine.make("border", f"select timestamptz '{ever} 00:00:00+00' as until, date '{ever}' as day")
    else:
        engine.make("border", _BORDER, {"edge": max(told), "zone": zone})
    least = engine.table("select until from border").to_pylist()[0]["until"]
    engine.view("bordering", f"select person_id, time from part_events where time < timestamptz '{least.isoformat()}'")


def _find(engine: Engine, moved: str, zone: str, *, repair: bool) -> None:
    engine.make("spans", _SPANS.format(moved=moved), {"repair": repair})
    _close(engine)
    engine.make("day_spans", _DAY_SPANS, {"zone": zone, "repair": repair})
    engine.make("wanted", _WANTED, {"zone": zone})


def _look_up(engine: Engine, events: Sequence[Part], zone: str, *, every: bool = False) -> None:
    """Makes ``day_events``: those of the days of the stale persons, with the person; ``every``: the parts are all events."""
    edges = engine.table("select min(since) as least, max(until) as greatest, count(*) as n from wanted").to_pylist()[0]
    found = []
    if edges["least"] is not None:
        bounds = {name: f"timestamptz '{edges[name].isoformat()}'" for name in ("least", "greatest")}
        form = {"columns": _COLUMNS, "zone": zone, **bounds}
        if every and edges["n"] <= _FEW:
            wanted = engine.among("events.actor_id", "actor_id", "wanted")
            if edges["greatest"] - edges["least"] < _CLOSE:
                wanted = f"{_BETWEEN.format(**bounds)} and {wanted}"
            engine.make("near_events", _NEAR.format(columns=_COLUMNS, wanted=wanted))
            found = [_FOUND.format(events="near_events", **form)]
        else:
            found = [_FOUND.format(events=part.relation, **form) for part in events if _touched(engine, part)]
    nothing = f"select wanted.person_id, {_COLUMNS} from base.events cross join wanted limit 0"
    engine.make("day_events", " union all ".join(found) or nothing)


def _close(engine: Engine) -> None:
    """Lets the spans grow until no session outside is near them; each round looks at those that grew in the last one."""
    engine.make("growing", "select person_id, since, until from spans")
    while True:
        edges = engine.table("select min(since) as least, max(until) as greatest from growing").to_pylist()[0]
        if edges["least"] is None:
            return
        literals = {name: f"timestamptz '{edge.isoformat()}'" for name, edge in edges.items()}
        if not engine.make("grown", _GROWN.format(silence=_SILENCE, **literals)):
            return
        engine.make("wider", _WIDER)
        engine.make("spans", "from wider")
        engine.make("growing", "from grown")


def _touched(engine: Engine, part: Part) -> bool:
    """Whether anybody is wanted in the time of a part."""
    if part.least is None or part.greatest is None:
        return True
    limits = {"least": part.least, "greatest": part.greatest}
    found = engine.table("select 1 from wanted where since <= $greatest and until >= $least limit 1", limits)
    return bool(found.num_rows)


class _File(NamedTuple):
    path: str
    least: datetime | None
    greatest: datetime | None


def _part(lake: Lake, project: str, month: str, files: Sequence[_File]) -> Part:
    if lake.is_local:
        root = lake.uri(project, "events")
        relation = parquet([f"{root}/{file.path}" for file in files], months=True)
    else:
        relation = f"(select * from base.events where month = '{month}')"
    told = [(file.least, file.greatest) for file in files if file.least is not None and file.greatest is not None]
    if len(told) < len(files):
        return Part(month, relation)
    least, greatest = min(least for least, _ in told), max(greatest for _, greatest in told)
    return Part(month, relation, least - _COARSE, greatest + _COARSE)
