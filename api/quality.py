"""The quality of a project's data, for ``GET /api/quality``: what was checked, and what looks unlike the weeks before.

Days are those of the project's zone, by the events' own time; the last day looked at is the last one that ended before the
completeness mark. Late events of a day still add to it.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from statistics import median
from typing import Any, Final

from api.settings import Settings
from api.status import disk, runaways
from api.store import Project
from ingest import ids
from ingest.lake import Lake
from ingest.progress import complete_until
from sql.loader import load, names
from transforms import checks
from transforms.engine import Engine
from transforms.manifest import current

SHOWN: Final = 28  # days of the volume's history
WEEKS: Final = 4  # of which a day is compared with the same weekday's median
LOW: Final = 0.5  # of that median: a day below is called out
HIGH: Final = 2.0
RECENT: Final = timedelta(days=7)  # in which a name is new, or missing
SEEN: Final = 10  # events in the four weeks before, at least, of a name that is missed now
LISTED: Final = 50

VOLUME: Final = """
select cast(time at time zone $zone as date) as day, count(*) as events
from events
where month >= $month and time >= $since and time < $until
group by day
"""
NEW: Final = """
select event, min(time) as first_seen, count(*) as events
from events
group by event
having min(time) >= $since
order by first_seen desc, event
limit $limit
"""
VANISHED: Final = """
select event, max(time) as last_seen, count(*) as events
from events
where month >= $month and time >= $before and time < $until
group by event
having max(time) < $since and count(*) >= $least
order by events desc, event
limit $limit
"""
REJECTED: Final = """
select reason, count(*) as events, max(received_at) as last
from rejected
where received_at >= $since
group by reason
order by events desc, reason
"""


def quality(settings: Settings, lake: Lake, project: Project, now: datetime, engine: Engine) -> dict[str, Any]:
    """``engine`` holds the newest ``events`` and ``rejected``."""
    complete = complete_until(settings.folder.log, now)
    manifest = current(lake, project.name)
    outcomes = ids.counts(settings.folder.index, project.name)
    received = sum(outcomes.values())
    today = complete.until.astimezone(project.timezone).replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "project": project.name,
        "now": now,
        "checks": _checks(lake, project.name),
        "freshness": {
            "complete_until": complete.until,
            "held_back_by": complete.held_back_by,
            "log_to_lake_seconds": round((now - complete.until).total_seconds(), 1),
            "manifest": None if manifest is None else manifest.number,
            "built_at": None if manifest is None else manifest.built_at,
            "built_until": None if manifest is None else manifest.complete_until,
        },
        "volume": _volume(engine, project, today),
        "names": _names(engine, complete.until),
        "duplicates": _part(outcomes.get("duplicate", 0), received),
        "rejections": {
            **_part(sum(events for name, events in outcomes.items() if name.startswith("rejected")), received),
            "last_7_days": engine.table(REJECTED, {"since": now - RECENT}).to_pylist(),
        },
        "runaway_ids": runaways(lake, project.name, manifest),
        "disk": disk(settings.folder.root, settings.low_disk),
    }


def _checks(lake: Lake, project: str) -> dict[str, Any]:
    """Every check with what it said at the last build that got so far, or in the last night; the broken ones first."""
    said = checks.last(lake, project)
    broken = {one.rule: one for one in said.violations} if said else {}
    items = [
        {
            "name": name,
            "finds": load("checks", name).title,
            "status": "not run" if said is None else "broken" if name in broken else "holds",
            "rows": None if said is None else broken[name].count if name in broken else 0,
            "examples": list(broken[name].examples) if name in broken else [],
        }
        for name in names("checks")
    ]
    return {
        "at": None if said is None else said.at,
        "broken": None if said is None else len(broken),
        "items": sorted(items, key=lambda item: item["status"] != "broken"),
    }


def _volume(engine: Engine, project: Project, today: datetime) -> dict[str, Any]:
    """Events per day, the last complete day first, each beside the median of the same weekday in the weeks before it."""
    last = today.date() - timedelta(days=1)
    since = today - timedelta(days=SHOWN + 7 * WEEKS)
    given = {"zone": project.zone, "month": f"{since - timedelta(days=1):%Y-%m}", "since": since, "until": today}
    counted = {row["day"]: row["events"] for row in engine.table(VOLUME, given).to_pylist()}
    first = min(counted, default=None)
    days = [compared(counted, first, last - timedelta(days=back)) for back in range(SHOWN)]
    return {"thresholds": {"low": LOW, "high": HIGH, "weeks": WEEKS}, "days": days}


def compared(counted: dict[date, int], first: date | None, day: date) -> dict[str, Any]:
    """One day against the median of its weekday in the ``WEEKS`` before, none of them before the ``first`` day there is.

    ``ratio`` is null, with the reason ``no_base``, where fewer than two such weekdays are there or their median is 0.
    """
    earlier = [day - timedelta(weeks=weeks) for weeks in range(1, WEEKS + 1)]
    known = [counted.get(one, 0) for one in earlier if first is not None and one >= first]
    usual = float(median(known)) if len(known) >= 2 else None
    events = counted.get(day, 0)
    ratio = round(events / usual, 4) if usual else None
    status = None if ratio is None else "low" if ratio < LOW else "high" if ratio > HIGH else "usual"
    return {
        "day": day,
        "events": events,
        "usual": usual,
        "ratio": ratio,
        "status": status,
        "reason": "no_base" if ratio is None else None,
    }


def _names(engine: Engine, until: datetime) -> dict[str, Any]:
    """Names first seen in the last seven days; names of the four weeks before that did not come any more."""
    since = until - RECENT
    before = since - timedelta(weeks=4)
    missed = {"month": f"{before:%Y-%m}", "before": before, "since": since, "until": until, "least": SEEN, "limit": LISTED}
    return {
        "since": since,
        "new": engine.table(NEW, {"since": since, "limit": LISTED}).to_pylist(),
        "vanished": engine.table(VANISHED, missed).to_pylist(),
    }


def _part(events: int, received: int) -> dict[str, Any]:
    """So many of all ever received; no share of nothing."""
    return {"events": events, "share": round(events / received, 6) if received else None}
