"""Who is who: from the ledger's links to those in force, and to the people they make.

Links in force (``sql/models/link_states.sql``): not undone, of no runaway id, and of an anonymous id only the first. People
are the connected components of these. Only aliases connect users, and few users have any; anonymous ids hang on one user
each. So just the ids that occur in an alias take part here, the rest is a plain join in SQL.

Why not SQL: a recursive query carries every pair of ids of a component, so one sender's chain or star of n aliases costs n*n
rows, and Spark ends a recursion at 100 rounds. Joining and jumping on arrays takes O(log n) rounds of O(n) work whatever the
shape: each root joins its smallest neighbour, then every id jumps to its root (Shiloach and Vishkin, 1982). Rows depend on
the set of links alone, never on their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms import near
from transforms.engine import Engine
from transforms.ledger import LEDGER, fresh_links
from transforms.tables import ID_LINKS
from transforms.undo import EVER, undone_links

_BETWEEN_USERS: Final = "select actor_id, owner_actor_id from link_states where state = 'in_force' and id like 'user:%'"


@dataclass(frozen=True)
class View:
    """How identity is looked at: what was received or undone after ``known_at`` does not count.

    ``runaway_links``: how many others an id may be linked to. Browsers forget a device every week (Safari) or at every visit
    (private windows), so a busy human makes some hundred in years; a constant in place of an id makes thousands in days.
    """

    runaway_links: int = 1000
    known_at: datetime = EVER


DEFAULT_VIEW: Final = View()


def ledger_relations(view: View, engine: Engine) -> dict[str, pa.Table]:
    """What ``sql/models/links.sql`` reads besides the ledger; an engine without a ledger gets an empty one."""
    if LEDGER not in engine.relations:
        engine.bind(LEDGER, ID_LINKS.empty_table())
    fresh = {} if "fresh_links" in engine.relations else {"fresh_links": fresh_links(engine)}
    return {**fresh, "undone_links": undone_links(engine, view.known_at)}


def stale(engine: Engine, gained: str, seen: str, view: View = DEFAULT_VIEW) -> int:
    """Makes ``stale_ids``: every id whose row in ``actors`` or ``runaway_ids`` may change; returns how many.

    ``gained``: name of a relation of ledger rows that came or went since the build (links and undos; ``actor_id`` and
    ``owner_actor_id`` are read). ``seen``: name of a relation of ids (``actor_id``, ``id``) whose row in ``seen_ids`` came,
    went or changed. Either may have rows that changed nothing: that costs time only.

    Reads ``base.id_links`` and ``fresh_links`` (as they are now), ``base.seen_ids`` (now), ``base.actors`` and
    ``base.runaway_ids`` (as last built, before either is repaired). Makes, all few rows, tables of the engine:

    ``stale_ids`` (actor_id, id): closed, whole people before and after. The stale keys of ``actors`` (by actor_id) and of
    ``runaway_ids`` (by id): ``old`` is the built rows of these keys.
    ``near_links``: the rows of the ledger that decide the links of ``stale_ids``, their undos and fresh links, too.
    ``stale_seen``: the rows of ``seen_ids`` of ``stale_ids``.

    ``NARROW`` tells, by model, which relation is to be what while it is made again (``fresh_links`` is to be empty): links,
    runaway_ids, link_states, id_roots, actors. ``runaway_ids`` made so also tells half the truth of ids around: of its rows
    those of ``stale_ids`` count (``RUNAWAYS``), and link_states reads them together with the built ones of all other ids.
    ``actors`` made so are exactly the new rows of ``stale_ids``.

    A changed link brings others in and out of force: those of its ids (a device's next user), and of the ids next to one
    that became a runaway or ceased to be. So all two links around are stale, and the whole of the people they were in. An id
    without a row in ``actors`` was in nobody of whom an event is left: whom its links lead to is found by going on.
    """
    near.prepare(engine, view.runaway_links)
    engine.view("changed_links", f"from {gained}")
    engine.view("changed_seen", f"from {seen}")
    engine.make("reached", _CHANGED)
    near.widen(engine)
    engine.make("reached", _WITH_PEOPLE)
    lost = engine.make("lost", _LOST)
    while lost:
        engine.make("beyond", _BEYOND)
        lost = engine.make("lost", _LOST_BEYOND)
        engine.make("wider", "from reached union from lost")
        engine.make("reached", "from wider")
    engine.make("stale_actors", "from reached")
    near.widen(engine)
    near.gather_near(engine, _DECIDING)
    engine.make("stale_seen", "select * from base.seen_ids where actor_id in (select actor_id from stale_actors)")
    return engine.make("stale_ids", _STALE_IDS)


_CHANGED: Final = """
select actor_id from changed_links
union
select owner_actor_id as actor_id from changed_links
union
select actor_id from changed_seen
"""
_WITH_PEOPLE: Final = """
select actor_id from reached
union
select actor_id from base.actors
where person_id in (select person_id from base.actors where actor_id in (select actor_id from reached))
"""
# Ids that nobody has, and their neighbours that nobody has either.
_LOST: Final = """
select actor_id from reached
where actor_id not in (select actor_id from base.actors where actor_id in (select actor_id from reached))
    and actor_id not in (select actor_id from settled)
"""
_BEYOND: Final = """
with neighbours as (
    select owner_actor_id as actor_id from pairs where actor_id in (select actor_id from lost)
    union
    select actor_id from pairs where owner_actor_id in (select actor_id from lost)
)
select actor_id from neighbours where actor_id not in (select actor_id from reached)
"""
_LOST_BEYOND: Final = """
select actor_id from beyond
where actor_id not in (select actor_id from base.actors where actor_id in (select actor_id from beyond))
    and actor_id not in (select actor_id from settled)
"""
_DECIDING: Final = """
select actor_id from stale_actors
union
select actor_id from reached where actor_id not in (select actor_id from settled)
"""
_STALE_IDS: Final = """
with named as (
    select actor_id, id from base.actors where actor_id in (select actor_id from stale_actors)
    union
    select actor_id, id from near_links
    union
    select owner_actor_id as actor_id, owner as id from near_links
    union
    select actor_id, id from stale_seen
    union
    select actor_id, id from changed_seen
)
select stale_actors.actor_id, min(named.id) as id
from stale_actors join named on named.actor_id = stale_actors.actor_id
group by stale_actors.actor_id
"""
# model -> relation it reads -> what that is in a repair
NARROW: Final[Mapping[str, Mapping[str, str]]] = {
    "links": {"id_links": "from near_links"},
    "id_roots": {"seen_ids": "from stale_seen"},
    "actors": {"seen_ids": "from stale_seen"},
}
RUNAWAYS: Final = "select * from made_runaway_ids where id in (select id from stale_ids)"


def user_roots(engine: Engine) -> dict[str, pa.Table]:
    """Of each user id that an alias in force names the smallest actor id it is connected to: ``actor_id`` and ``root``."""
    links = engine.table(_BETWEEN_USERS)
    left, right = links["actor_id"].to_numpy(), links["owner_actor_id"].to_numpy()
    ids, codes = np.unique(np.concatenate([left, right]), return_inverse=True)
    smallest = components(codes[: len(left)], codes[len(left) :], len(ids))
    return {"user_roots": pa.table({"actor_id": pa.array(ids, pa.int64()), "root": pa.array(ids[smallest], pa.int64())})}


def components(left: npt.NDArray[np.int64], right: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """For each of the nodes 0..count-1 the smallest node of its component; ``left[i]`` and ``right[i]`` are connected."""
    root = np.arange(count, dtype=np.int64)
    while True:
        one, other = root[left], root[right]
        if np.array_equal(one, other):
            return root
        np.minimum.at(root, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(jumped := root[root], root):
            root = jumped
