"""The links around some ids: whom they lead to, and the rows of the ledger that decide them.

A link's state depends on the other links of its id, on how many links each of its two ids has, and on the same for the users
that its id is linked to. So links up to two steps away are looked at. All joins are of 64-bit ids; nothing leaves DuckDB.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from ingest.actor import actor_id
from transforms.engine import Engine
from transforms.undo import undone_links

STEPS: Final = 2
_PAIRS: Final = """
select actor_id, owner_actor_id from base.id_links where kind = 'link'
union all
select actor_id, owner_actor_id from fresh_links
"""
# An id that was runaway at the build and still is: whatever happens to one link of it changes no other.
_SETTLED: Final = """
with ends as (
    select actor_id, owner_actor_id, actor_id as own, owner_actor_id as other from pairs
    union
    select actor_id, owner_actor_id, owner_actor_id as own, actor_id as other from pairs
)
select ends.own as actor_id
from ends
join runaways on runaways.actor_id = ends.own
left join undone_before
    on undone_before.actor_id = ends.actor_id and undone_before.owner_actor_id = ends.owner_actor_id
where undone_before.actor_id is null
group by ends.own
having count(distinct ends.other) > $runaway_links
"""
_OPEN: Final = "select actor_id from reached where actor_id not in (select actor_id from settled)"
_WIDER: Final = """
select actor_id from reached
union
select owner_actor_id as actor_id from pairs where actor_id in (select actor_id from opened)
union
select actor_id from pairs where owner_actor_id in (select actor_id from opened)
"""
_NEAR: Final = """
select * from base.id_links
where actor_id in (select actor_id from whole) or owner_actor_id in (select actor_id from whole)
union all by name
select * from fresh_links
where actor_id in (select actor_id from whole) or owner_actor_id in (select actor_id from whole)
"""


def prepare(engine: Engine, runaway_links: int | None = None) -> None:
    """Makes ``pairs`` of ``base.id_links`` and ``fresh_links``, and ``settled``: runaway ids that no way leads through.

    With ``runaway_links`` these are ids of ``base.runaway_ids``, without it there are none.
    """
    engine.make("pairs", _PAIRS)
    runaways = [] if runaway_links is None else engine.table("select id from base.runaway_ids")["id"].to_pylist()
    engine.make("settled", "select actor_id from pairs limit 0")
    if runaways:
        engine.bind("runaways", actors_of(runaways))
        engine.bind("undone_before", undone_links(engine))
        engine.make("settled", _SETTLED, {"runaway_links": runaway_links})


def actors_of(ids: list[str]) -> pa.Table:
    """The actor ids of typed ids."""
    return pa.table({"actor_id": pa.array([actor_id(*one.split(":", 1)) for one in ids], pa.int64())})


def widen(engine: Engine, steps: int = STEPS) -> None:
    """Adds to ``reached`` (actor_id) the ids that so many links lead to."""
    for _ in range(steps):
        engine.make("opened", _OPEN)
        engine.make("wider", _WIDER)
        engine.make("reached", "from wider")


def gather_near(engine: Engine, whole: str) -> None:
    """Makes ``near_links``: the rows of the ledger, and of ``fresh_links``, that name one of the ids of a query.

    Ends what ``prepare`` began: the rows of all links, and ``reached``, are let go.
    """
    engine.make("whole", whole)
    engine.make("near_links", _NEAR)
    for name in ("pairs", "settled", "opened", "wider", "whole", "reached"):
        engine.drop(name)
