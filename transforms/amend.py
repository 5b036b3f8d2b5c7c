"""Links of the ledger whose event gave way to an earlier copy of itself are told by that copy: its time, and when it came.

A flush may store the later of two copies first (``ingest/exchange.py``). The link is the same fact, but first and last are
by event time, and a copy's time is corrected by another skew. So a build puts the copy's link in the place of the other's,
in one commit; undos name the entry, which both have, and hold.

Where that happened all events are gathered again: a link that was left out since the displaced copy seemed earlier may be
the first one now.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from ingest.lake import Lake
from transforms import news
from transforms.engine import Engine, Limits
from transforms.file_changes import change_rows
from transforms.ledger import LEDGER, fresh_links
from transforms.tables import ID_LINKS

_EXCHANGED = """
select * exclude (came)
from base.moved_events
where came and event_id in (
    select event_id from base.moved_events
    where kind in ('identify', 'alias') or previous_id = anonymous_id
    group by event_id
    having bool_or(came) and not bool_and(came)
)
"""


def amend(lake: Lake, project: str, moved: news.Moved, limits: Limits) -> bool:
    """Whether any event that links ids was exchanged among the events that moved; doing it again changes nothing."""
    if not moved.went:
        return False
    with Engine(lake, project, {}, limits) as engine:
        news.bind(engine, lake, project, "events", "moved_events", moved)
        if not engine.make("events", _EXCHANGED):
            return False
        engine.bind("id_links", ID_LINKS.empty_table())
        entries = engine.table("select distinct event_id from events")["event_id"]
        links = fresh_links(engine)
    told = pa.array(entries.to_pylist(), pa.string())

    def change(rows: pa.Table) -> pa.Table:
        theirs = pc.and_(pc.equal(rows["kind"], "link"), pc.is_in(rows["entry"], value_set=told))
        old = rows.filter(theirs)
        new = links.filter(pc.is_in(links["entry"], value_set=pa.array(old["entry"].to_pylist(), pa.string())))
        if _same(old, new):
            return rows
        return pa.concat_tables([rows.filter(pc.invert(theirs)), new.cast(rows.schema)])

    change_rows(lake, project, LEDGER, change)
    return True


def _same(old: pa.Table, new: pa.Table) -> bool:
    return bool(old.sort_by("entry").cast(ID_LINKS).equals(new.sort_by("entry").cast(ID_LINKS)))
