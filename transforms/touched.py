"""Who is who again for the few that new events, links and undos touch; all others stay as the last build has them.

What changed is what ledger and events have gained since the build. A changed link brings others in and out of force: those
of its ids (a device's next user), and of the ids next to one that became a runaway or ceased to be. So everything two links
around a changed one is touched, and the whole of the people it was in. For these the models of the build run again.

Constraints
- A build's versions and the newest are compared by their files. Where files of the build are gone, tidy rewrote them, and
  the log tells which files were added with new rows (``commits.py``; tidy leaves them on disk until the next build). Where
  rows were removed, or the log tells no more, the answer is None: work out everyone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pyarrow as pa

from ingest.lake import Lake
from transforms.commits import added_since
from transforms.core import who_is_who
from transforms.domains import Domains
from transforms.engine import Engine, Limits
from transforms.identity import View
from transforms.ledger import LEDGER, fresh_links
from transforms.links import NEAR, NEIGHBOURS, STEPS
from transforms.model import make
from transforms.tables import ACTORS, ID_LINKS, MEMBERSHIPS

_LIMIT: Final = 1_000_000  # ids; where more are touched, working out everyone costs no more
_ACTING: Final = """
select
    actor_id,
    case when user_id is not null then 'user:' || user_id else 'anonymous:' || anonymous_id end as id,
    min(time) as first_seen,
    bool_or(kind = 'group' or ($by_email and kind = 'identify')) as grouped -- may belong to an account by it
from events
group by all
"""
_CHANGED: Final = """
select id from gained_links
union
select owner as id from gained_links
union
select id from fresh_links
union
select owner as id from fresh_links
union
select acting.id from acting left join actors on actors.actor_id = acting.actor_id where actors.actor_id is null
"""
_LEFT: Final = "select distinct person_id from actors where id in (select id from named)"
_TOUCHED: Final = """
select id from named
union
select id from actors where person_id in (select person_id from left_people)
"""
_EVENTS: Final = """
select events.actor_id, events.user_id, events.anonymous_id, events.time
from events
where events.actor_id in (
    select actor_id from actors where id in (select id from touched)
    union
    select actor_id from near where id in (select id from touched)
    union
    select owner_actor_id from near where owner in (select id from touched)
    union
    select actor_id from acting where id in (select id from touched)
)
"""
_WITHIN: Final = "select * from link_states where id in (select id from touched) and owner in (select id from touched)"
_KEPT_ACTORS: Final = """
select actors.* replace (least(actors.first_seen, acting.first_seen) as first_seen)
from actors left join acting on acting.actor_id = actors.actor_id
where actors.id not in (select id from touched)
"""
_REGROUPED: Final = """
select person_id from left_people
union
select person_id from made
union
select actors.person_id from actors join acting on acting.actor_id = actors.actor_id where acting.grouped
"""
_GROUPS: Final = """
select kind, account_id, time, event_id, actor_id, properties
from events
where (kind = 'group' or ($by_email and kind = 'identify'))
    and (actor_id in (select actor_id from made)
        or actor_id in (select actor_id from actors where person_id in (select person_id from regrouped)))
"""
_KEPT_MEMBERSHIPS: Final = "select * from memberships where person_id not in (select person_id from regrouped)"


@dataclass(frozen=True)
class Since:
    """The versions to answer for, and the build to start from."""

    events: int
    ledger: int | None
    built: Mapping[str, int]


def again(
    lake: Lake, project: str, since: Since, limits: Limits, domains: Domains, view: View
) -> tuple[pa.Table, pa.Table] | None:
    """The rows of ``actors`` and ``memberships``; None where everyone must be worked out."""
    if not lake.is_local or not since.built.keys() >= {"actors", "memberships"}:
        return None
    events = _gained(lake, project, "events", since.built.get("events"), since.events)
    links = _gained(lake, project, LEDGER, since.built.get(LEDGER), since.ledger)
    if events is None or links is None:
        return None
    fresh, acting = _new(lake, project, since, events, limits, domains)
    opened = {name: since.built[name] for name in ("actors", "memberships")}
    with Engine(lake, project, {**opened, "events": since.events, LEDGER: since.ledger}, limits) as engine:
        for name, rows in (("fresh_links", fresh), ("acting", acting)):
            engine.bind(name, rows)
        engine.read("gained_links", LEDGER, links)
        if not _touch(engine):
            return None
        made = _made(engine, lake, project, view, limits)
        engine.bind("made", made)
        actors = pa.concat_tables([engine.table(_KEPT_ACTORS).select(ACTORS.names).cast(ACTORS), made])
        return actors, _memberships(engine, actors, lake, project, limits, domains)


def _gained(lake: Lake, project: str, table: str, before: int | None, now: int | None) -> list[str] | None:
    """Files with the rows that a table has gained, and no others; None where it has lost any."""
    old = set() if before is None else set(lake.files(project, table, before))
    new = set() if now is None else set(lake.files(project, table, now))
    if old <= new:
        return sorted(unquote(file) for file in new - old)
    if before is None or now is None or (added := added_since(lake, project, table, before, now)) is None:
        return None
    files = [f"{lake.uri(project, table)}/{path}" for path in added]
    return files if all(Path(file).exists() for file in files) else None


def _new(
    lake: Lake, project: str, since: Since, files: list[str], limits: Limits, domains: Domains
) -> tuple[pa.Table, pa.Table]:
    """The links that the new events make and the ledger lacks, and who acted in them."""
    with Engine(lake, project, {LEDGER: since.ledger}, limits) as engine:
        engine.read("events", "events", files)
        return fresh_links(engine), engine.table(_ACTING, domains.params)


def _touch(engine: Engine) -> bool:
    """Binds ``touched`` (ids), ``left_people`` (who they were), ``near`` (what decides their links); False if too many."""
    engine.bind("named", engine.table(_CHANGED))
    _widen(engine)
    engine.bind("left_people", engine.table(_LEFT))
    touched = engine.table(_TOUCHED)
    engine.bind("touched", touched)
    engine.bind("named", touched)
    _widen(engine)
    engine.bind("near", engine.table(NEAR))
    return bool(touched.num_rows <= _LIMIT)


def _widen(engine: Engine) -> None:
    for _ in range(STEPS):
        engine.bind("named", engine.table(NEIGHBOURS))


def _made(engine: Engine, lake: Lake, project: str, view: View, limits: Limits) -> pa.Table:
    """The actors of the touched ids."""
    relations = {"touched": engine.table("from touched"), LEDGER: engine.table("from near"), "events": engine.table(_EVENTS)}
    with Engine(lake, project, {}, limits) as few:
        for name, rows in {**relations, "fresh_links": ID_LINKS.empty_table()}.items():
            few.bind(name, rows)
        *links, actors, _ = who_is_who(view)
        for model in links:
            make(few, model)
        few.bind("link_states", few.table(_WITHIN))
        return make(few, actors)


def _memberships(engine: Engine, actors: pa.Table, lake: Lake, project: str, limits: Limits, domains: Domains) -> pa.Table:
    engine.bind("regrouped", engine.table(_REGROUPED))
    kept, groups = engine.table(_KEPT_MEMBERSHIPS), engine.table(_GROUPS, domains.params)
    with Engine(lake, project, {}, limits) as few:
        few.bind("events", groups)
        few.bind("actors", actors)
        made = make(few, who_is_who(domains=domains)[-1])
    return pa.concat_tables([kept.select(MEMBERSHIPS.names).cast(MEMBERSHIPS), made])
