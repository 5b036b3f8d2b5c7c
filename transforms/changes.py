"""Which numbers of the past moved, and why: the table ``changes``, appended to by each build that moves any.

A number is a sum or a count per day, as a dashboard shows it; the past are the days before the one in which the last
build's completeness mark lay. A repair tells which rows went and came. By how much these move a day's sum they tell
themselves, so the table is read for the days alone that moved. A count of distinct values is made again, as it was and as it
is, over the days of these rows. A table that was filled anew is compared with its last version.

Reasons are told as what can have moved a day: how many events came late for it or were taken out of it, how many links of
its people came or were undone, how many people had their ids joined or parted by it, and whether definitions (of a number
that depends on them), or the way the table is made (the zone, an upgrade), changed.

The rows are written before the manifest. A build that dies in between leaves rows under a number that the next build takes
again: of one number those written last count.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from deltalake import DeltaTable, Schema

from ingest.lake import Lake
from sql.loader import load
from transforms.engine import DEFAULT_LIMITS, Engine, Limits
from transforms.manifest import Manifest
from transforms.tables import CHANGES

TABLE: Final = "changes"


@dataclass(frozen=True)
class Number:
    """A number per day that a table tells, in SQL; ``moment``, a time or a day, is null for rows that do not count."""

    table: str
    name: str
    moment: str
    value: str
    adds_up: bool = True  # over any parts of the rows of a day

    @property
    def is_defined(self) -> bool:
        """Whether it may move with the definitions."""
        return self.table not in ("person_days", "people")

    @property
    def day(self) -> str:
        return self.moment if self.moment == "day" else f"cast({self.moment} at time zone $zone as date)"


NUMBERS: Final = (
    Number("person_days", "'events'", "day", "sum(events)"),
    Number("person_days", "'sessions'", "day", "sum(sessions)"),
    Number("person_days", "'active people'", "day", "count(*) filter (where events > bots)"),
    Number("account_days", "'active accounts'", "day", "count(*) filter (where people > 0)"),
    Number("people", "'new people'", "first_seen", "count(*)"),
    Number("stages", "'entered ' || stage || ' (' || subject || ')'", "entered", "count(*)"),
    Number("invites", "'invitations sent'", "sent_at", "count(distinct invite_id)", adds_up=False),
    Number("invites", "'invitations accepted'", "accepted_at", "count(*)"),
)
_BY: Final = """
select number, day, sum(value) as value
from (
    select {name} as number, {day} as day, {value} as value from came_{table} where {day} < $end group by all
    union all
    select {name} as number, {day} as day, -({value}) as value from went_{table} where {day} < $end group by all
)
group by all
having sum(value) <> 0
"""
# Times first by their bounds: to cut one with a zone costs ten times as much.
_ADDED: Final = """
with is_now as (
    select {name} as number, {day} as day, {value} as value
    from base.{table} rows where {moment} between {least} and {greatest} and {day} in (select day from {by}) group by all
)
select number, day, cast(coalesce(is_now.value, 0) - {by}.value as bigint) as before,
    cast(coalesce(is_now.value, 0) as bigint) as after, {anew} as anew, {defined} as defined
from {by} left join is_now using (number, day)
"""
_COUNTED: Final = """
with days as (
    select distinct {day} as day from {touched} where {day} < $end
),
was as (
    select {name} as number, {day} as day, {value} as value
    from {before} rows where {day} in (select day from days) group by all
),
is_now as (
    select {name} as number, {day} as day, {value} as value
    from base.{table} rows where {day} in (select day from days) group by all
)
select number, day, cast(coalesce(was.value, 0) as bigint) as before, cast(coalesce(is_now.value, 0) as bigint) as after,
    {anew} as anew, {defined} as defined
from was full join is_now using (number, day)
where coalesce(was.value, 0) <> coalesce(is_now.value, 0)
"""
_BEFORE: Final = """(
    (select * from base.{table} where {day} in (select day from days) except all from came_{table})
    union all from went_{table}
)"""
_REASONS: Final = """
with moved as (
    select cast(time at time zone $zone as date) as day,
        count(*) filter (where came) as late_events, count(*) filter (where not came) as removed_events
    from base.moved_events group by all
),
concerned as (
    select distinct day, person_id from changed_person_days semi join rejoined using (person_id)
),
regrouped as (
    select day, count(*) as regrouped_people from concerned group by day
),
ends as ( -- of links, undos, and undos of these, that came
    select entry, actor_id, kind = 'link' or undoes_kind = 'undo' as joins from base.moved_id_links where came
    union all
    select entry, owner_actor_id, kind = 'link' or undoes_kind = 'undo' from base.moved_id_links where came
),
linked as (
    select day, count(distinct entry) filter (joins) as merges, count(distinct entry) filter (not joins) as undos
    from ends join base.actors using (actor_id) join concerned using (person_id)
    group by day
)
select
    $manifest as manifest, $built_at as built_at, number, day, before, after, coalesce(late_events, 0) as late_events,
    coalesce(removed_events, 0) as removed_events, coalesce(regrouped_people, 0) as regrouped_people, anew,
    case when defined then $definition_before else $definition_after end as definition_before,
    $definition_after as definition_after, coalesce(merges, 0) as merges, coalesce(undos, 0) as undos
from moved_numbers left join moved using (day) left join regrouped using (day) left join linked using (day)
order by day, number
"""
_COUNTED_REASONS: Final = (
    ("late_events", "late event", "late events"),
    ("removed_events", "event removed", "events removed"),
    ("merges", "merge", "merges"),
    ("undos", "merge undone", "merges undone"),
)
_SINCE: Final = """
select * exclude (latest)
from (select *, max(built_at) over (partition by manifest) as latest from changes)
where built_at = latest and built_at >= $since
order by built_at, day, number
"""


def note(
    engine: Engine, tables: Collection[str], anew: Collection[str], previous: Manifest, manifest: Manifest, zone: str
) -> int:
    """Appends the numbers that a build, run and not yet published, moves; returns how many. ``anew``: tables made anew."""
    end = engine.table("select cast($t at time zone $zone as date) as day", {"t": previous.complete_until, "zone": zone})
    params = {"end": end["day"][0].as_py(), "zone": zone}
    found = [_counted(engine, number, anew, previous, params) for number in NUMBERS if number.table in tables]
    text = " union all ".join(f"({part})" for part in found if part)
    if not text or not engine.make("moved_numbers", text, _named(text, params)):
        return 0
    defined = {"definition_before": previous.definition_version, "definition_after": manifest.definition_version}
    told = {"zone": zone, "manifest": manifest.number, "built_at": manifest.built_at, **defined}
    rows = engine.table(_REASONS, told).cast(CHANGES)
    handle = _widened(engine.lake.open(engine.project, TABLE))
    batch = 0 if handle is None else handle.transaction_version(TABLE) or 0
    engine.lake.append(engine.project, TABLE, rows, writer=TABLE, batch=batch + 1, partition=None)
    return int(rows.num_rows)


def _widened(handle: DeltaTable | None) -> DeltaTable | None:
    """With the columns that an older release did not know."""
    if handle is not None:
        known = {field.name for field in handle.schema().fields}
        if missing := [field for field in Schema.from_arrow(CHANGES).fields if field.name not in known]:
            handle.alter.add_columns(missing)
    return handle


def since(lake: Lake, project: str, moment: datetime, limits: Limits = DEFAULT_LIMITS) -> list[dict[str, Any]]:
    """What builds from a moment on moved: rows of ``CHANGES``, in the order of the builds, then of days."""
    with Engine(lake, project, {TABLE: lake.version(project, TABLE)}, limits) as engine:
        return list(engine.table(_SINCE, {"since": moment}).to_pylist())


def why(row: Mapping[str, Any]) -> list[str]:
    """The reasons of a row in words, such as ``2 late events``, ``1 merge``, ``definition 1f0c -> 77ab``."""
    said = [f"{row[name]:,} {one if row[name] == 1 else many}" for name, one, many in _COUNTED_REASONS if row.get(name)]
    if row["regrouped_people"] and not (row.get("merges") or row.get("undos")):  # an id that became a runaway, say
        people = row["regrouped_people"]
        said.append(f"ids of {people:,} {'person' if people == 1 else 'people'} joined or parted")
    if row["definition_before"] != row["definition_after"]:
        said.append(f"definition {row['definition_before']} -> {row['definition_after']}")
    elif row["anew"]:
        said.append("the table was made anew")
    return said or ["what moved on other days"]


def _counted(
    engine: Engine, number: Number, anew: Collection[str], previous: Manifest, params: Mapping[str, object]
) -> str | None:
    """A query for what a number was and is on the days on which it moved; None where it did on none."""
    table = number.table
    texts = {"name": number.name, "moment": number.moment, "day": number.day, "value": number.value, "table": table}
    if load("models", table).kind == "by_day" and table in anew:  # filled from nothing: nobody told what went and came
        if table not in previous.tables:
            return None
        texts |= {"touched": f"(from base.before_{table} union all from base.{table})", "before": f"base.before_{table}"}
    elif not engine.table(f"select 1 from changed_{table} limit 1").num_rows:
        return None
    elif number.adds_up:
        return _added(engine, number, texts, params, table in anew)
    else:
        texts |= {"touched": f"changed_{table}", "before": _BEFORE.format(**texts)}
    return _COUNTED.format(**texts, anew=table in anew, defined=number.is_defined)


def _added(engine: Engine, number: Number, texts: Mapping[str, str], params: Mapping[str, object], anew: bool) -> str | None:
    """The same of a number that adds up: first by how much it moved, from the rows that went and came."""
    by, text = f"moved_number_{NUMBERS.index(number)}", _BY.format(**texts)
    if not engine.make(by, text, _named(text, params)):
        return None
    edges = engine.table(f"select min(day) as least, max(day) as greatest from {by}").to_pylist()[0]
    bounds = {name: f"date '{day}'" for name, day in edges.items()}
    if number.moment != "day":  # a zone is less than a day away
        reach = {"least": -2, "greatest": 2}
        bounds = {name: f"cast({day} + ({reach[name]}) as timestamptz)" for name, day in bounds.items()}
    return _ADDED.format(**texts, **bounds, by=by, anew=anew, defined=number.is_defined)


def _named(text: str, params: Mapping[str, object]) -> dict[str, object]:
    """The parameters that a text names."""
    return {name: value for name, value in params.items() if f"${name}" in text}
