"""Which numbers of the past moved, and why: the table ``changes``, appended to by each build that moves any.

A number is a sum or a count per day, as a dashboard shows it; the past are the days before the one in which the last
build's completeness mark lay. A repair tells which rows went and came, so only the days of these are counted again, as they
were and as they are. A table that was filled anew is compared with its last version.

Reasons are told as what can have moved a day: how many events came late for it or were taken out of it, how many people of
it had their ids joined or parted, and whether definitions, or the way the table is made (the zone, an upgrade), changed.

The rows are written before the manifest. A build that dies in between leaves rows under a number that the next build takes
again: of one number those written last count.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ingest.lake import Lake
from sql.loader import load
from transforms.engine import DEFAULT_LIMITS, Engine, Limits
from transforms.manifest import Manifest
from transforms.tables import CHANGES

TABLE: Final = "changes"


@dataclass(frozen=True)
class Number:
    """A number per day that a table tells, in SQL; ``day`` is null for rows that do not count."""

    table: str
    name: str
    day: str
    value: str


def _day(moment: str) -> str:
    return f"cast({moment} at time zone $zone as date)"


NUMBERS: Final = (
    Number("person_days", "'events'", "day", "sum(events)"),
    Number("person_days", "'sessions'", "day", "sum(sessions)"),
    Number("person_days", "'active people'", "day", "count(*) filter (where events > bots)"),
    Number("account_days", "'active accounts'", "day", "count(*) filter (where people > 0)"),
    Number("people", "'new people'", _day("first_seen"), "count(*)"),
    Number("stages", "'entered ' || stage || ' (' || subject || ')'", _day("entered"), "count(*)"),
    Number("invites", "'invitations sent'", _day("sent_at"), "count(distinct invite_id)"),
    Number("invites", "'invitations accepted'", _day("accepted_at"), "count(*)"),
)
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
    {anew} as anew
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
regrouped as (
    select day, count(distinct person_id) as regrouped_people
    from changed_person_days semi join rejoined using (person_id)
    group by day
)
select
    $manifest as manifest, $built_at as built_at, number, day, before, after, coalesce(late_events, 0) as late_events,
    coalesce(removed_events, 0) as removed_events, coalesce(regrouped_people, 0) as regrouped_people, anew,
    $definition_before as definition_before, $definition_after as definition_after
from moved_numbers left join moved using (day) left join regrouped using (day)
order by day, number
"""
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
    params = {"end": end["day"][0].as_py()}
    parts = []
    for number in NUMBERS:
        if number.table in tables and (text := _counted(engine, number, anew, previous)):
            parts.append(text)
    text = " union all ".join(f"({part})" for part in parts)
    params |= {"zone": zone} if "$zone" in text else {}
    if not parts or not engine.make("moved_numbers", text, params):
        return 0
    defined = {"definition_before": previous.definition_version, "definition_after": manifest.definition_version}
    told = {"zone": zone, "manifest": manifest.number, "built_at": manifest.built_at, **defined}
    rows = engine.table(_REASONS, told).cast(CHANGES)
    handle = engine.lake.open(engine.project, TABLE)
    batch = 0 if handle is None else handle.transaction_version(TABLE) or 0
    engine.lake.append(engine.project, TABLE, rows, writer=TABLE, batch=batch + 1, partition=None)
    return int(rows.num_rows)


def since(lake: Lake, project: str, moment: datetime, limits: Limits = DEFAULT_LIMITS) -> list[dict[str, Any]]:
    """What builds from a moment on moved: rows of ``CHANGES``, in the order of the builds, then of days."""
    with Engine(lake, project, {TABLE: lake.version(project, TABLE)}, limits) as engine:
        return list(engine.table(_SINCE, {"since": moment}).to_pylist())


def why(row: Mapping[str, Any]) -> list[str]:
    """The reasons of a row in words, such as ``2 late events``, ``definition 1f0c -> 77ab``."""
    counted = (("late_events", "late event"), ("removed_events", "event removed"), ("regrouped_people", "person"))
    said = [f"{row[name]} {_plural(word, row[name])}" for name, word in counted if row[name]]
    said = [f"ids of {one} joined or parted" if "person" in one or "people" in one else one for one in said]
    if row["definition_before"] != row["definition_after"]:
        said.append(f"definition {row['definition_before']} -> {row['definition_after']}")
    elif row["anew"]:
        said.append("the table was made anew")
    return said or ["what it follows from moved"]


def _plural(word: str, number: int) -> str:
    first, _, rest = word.partition(" ")
    many = {"late": f"late {rest}s", "event": f"events {rest}", "person": "people"}[first]
    return word if number == 1 else many


def _counted(engine: Engine, number: Number, anew: Collection[str], previous: Manifest) -> str | None:
    table, texts = number.table, {"name": number.name, "day": number.day, "value": number.value, "table": number.table}
    if load("models", table).kind == "by_day" and table in anew:  # filled from nothing: nobody told what went and came
        if table not in previous.tables:
            return None
        texts |= {"touched": f"(from base.before_{table} union all from base.{table})", "before": f"base.before_{table}"}
    else:
        if not engine.table(f"select 1 from changed_{table} limit 1").num_rows:
            return None
        texts |= {"touched": f"changed_{table}", "before": _BEFORE.format(**texts)}
    return _COUNTED.format(**texts, anew=table in anew)
