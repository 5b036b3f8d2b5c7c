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
import pyarrow.compute as pc

from transforms.engine import Engine
from transforms.ledger import LEDGER, fresh_links
from transforms.tables import ID_LINKS
from transforms.undo import EVER, undone_links

_TEXT: Final = pa.string()
_BETWEEN_USERS: Final = "select id, owner from link_states where state = 'in_force' and id like 'user:%'"


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


def stale(engine: Engine, gained: str, seen: str) -> int:
    """Makes ``stale_ids``: every id whose row in ``actors`` or ``runaway_ids`` may change; returns how many.

    ``gained``: name of a relation of ledger rows that came or went since the build (links and undos; ``actor_id`` and
    ``owner_actor_id`` are read). ``seen``: name of a relation of ids (``actor_id``) whose row in ``seen_ids`` came, went or
    changed. Either may have rows that changed nothing: that costs time only.

    Reads ``base.id_links``, ``base.seen_ids`` (both as they are now), ``base.actors`` and ``base.runaway_ids`` (as last
    built). Makes, all few rows, as tables of the engine:

    ``stale_ids`` (actor_id, id): closed, whole people before and after. The stale keys of ``actors`` (by actor_id) and of
    ``runaway_ids`` (by id): ``old`` is the built rows of these keys.
    ``near_links``: the ledger rows that decide the links of ``stale_ids``, their undos too.
    ``stale_seen``: the rows of ``seen_ids`` of ``stale_ids``.

    ``NARROW`` tells, by model, which relation is to be what while it is made again: with these bound, links ->
    runaway_ids -> link_states -> actors (with their inputs) give the new rows, and ``WITHIN[model]`` picks out of the rows
    made exactly those of ``stale_ids`` (the models also tell something of ids around them, which is not the whole truth).
    """
    raise NotImplementedError


# model -> relation it reads -> what that is in a repair
NARROW: Final[Mapping[str, Mapping[str, str]]] = {
    "links": {"id_links": "from near_links"},
    "actors": {"seen_ids": "from stale_seen"},
}
# model -> the rows made that count, to be read where they are bound as ``made``
WITHIN: Final[Mapping[str, str]] = {
    "runaway_ids": "select * from made where id in (select id from stale_ids)",
    "actors": "select * from made where actor_id in (select actor_id from stale_ids)",
}


def user_roots(engine: Engine) -> dict[str, pa.Table]:
    links = engine.table(_BETWEEN_USERS)
    return {"user_roots": roots(links["id"], links["owner"])}


def roots(left: pa.ChunkedArray, right: pa.ChunkedArray) -> pa.Table:
    """The smallest id that each id is connected to by the links ``left[i]`` - ``right[i]``: columns ``id`` and ``root``."""
    distinct = pc.unique(pa.chunked_array([*left.chunks, *right.chunks], _TEXT))
    ids = distinct.take(pc.sort_indices(distinct))
    smallest = components(_codes(left, ids), _codes(right, ids), len(ids))
    return pa.table({"id": ids, "root": ids.take(pa.array(smallest))})


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


def _codes(values: pa.ChunkedArray, ids: pa.Array) -> npt.NDArray[np.int64]:
    return np.asarray(pc.index_in(values, value_set=ids), dtype=np.int64)
