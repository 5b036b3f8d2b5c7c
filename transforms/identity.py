"""Who is who: from the links in force to the relations that ``sql/models/actors.sql`` reads.

People are the connected components of the links in force. Only aliases connect users, and few users have any; anonymous ids
hang on one user each. So just the ids that occur in an alias take part here, the rest is a plain join in SQL.

Why not SQL: a recursive query carries every pair of ids of a component, so one sender's chain or star of n aliases costs n*n
rows, and Spark ends a recursion at 100 rounds. Joining and jumping on arrays takes O(log n) rounds of O(n) work whatever the
shape: each root joins its smallest neighbour, then every id jumps to its root (Shiloach and Vishkin, 1982). Rows depend on
the set of links alone, never on their order.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.event import actor_id
from sql.loader import load
from transforms.engine import Engine

_TEXT: Final = pa.string()


def relations(engine: Engine) -> dict[str, pa.Table]:
    """``id_links``, ``id_hashes`` and ``user_roots`` for the events an engine holds."""
    links = engine.table(load("models", "id_links").text)
    between_users = links.filter(pc.starts_with(links["id"], "user:"))
    return {
        "id_links": links,
        "id_hashes": hashes(links["id"]),
        "user_roots": roots(between_users["id"], between_users["owner"]),
    }


def hashes(ids: pa.ChunkedArray) -> pa.Table:
    """The actor id of every typed id: columns ``id`` and ``actor_id``."""
    distinct = [identifier for identifier in pc.unique(ids).to_pylist() if identifier is not None]
    hashed = [actor_id(*identifier.split(":", 1)) for identifier in distinct]
    return pa.table({"id": pa.array(distinct, _TEXT), "actor_id": pa.array(hashed, pa.int64())})


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
