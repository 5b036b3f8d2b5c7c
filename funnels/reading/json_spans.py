"""Where a member lies in JSON texts: one walk over the bytes of a column, without making anything of the rest.

A text is walked until the first member of that name is found, as DuckDB takes the first of several. What this walk cannot
tell for sure (a name written with an escape, an element of a list, a text that ends too soon) it says so, and DuckDB tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from funnels.kernel import Ints
from funnels.kernel.words import compiled

Bytes = NDArray[np.uint8]

MISSING: Final = -1
UNSURE: Final = -2


def members(texts: pa.StringArray, path: Sequence[str]) -> tuple[pa.StringArray, Ints]:
    """Each text's member at ``path``, as it is written there, null where there is none; and the rows that are unsure."""
    count = len(texts)
    offsets = np.frombuffer(texts.buffers()[1], np.int32, count + 1, 4 * texts.offset)
    data = np.frombuffer(texts.buffers()[2] or b"", np.uint8)
    names = [part.encode() for part in path]
    ends = np.cumsum([0, *map(len, names)])
    starts, lengths = np.empty(count, np.int64), np.empty(count, np.int64)
    _find(data, offsets, np.frombuffer(b"".join(names) or b"\0", np.uint8), ends, starts, lengths)
    if texts.null_count:
        starts[texts.is_null().to_numpy(zero_copy_only=False)] = MISSING
    there = starts >= 0
    lengths[~there] = 0
    into = np.zeros(count + 1, np.int32)
    np.cumsum(lengths, out=into[1:])
    found = np.empty(int(into[-1]), np.uint8)
    _copy(data, starts, into, found)
    nulls = pa.array(there, pa.bool_()).buffers()[1]
    values = pa.StringArray.from_buffers(count, pa.py_buffer(into), pa.py_buffer(found), nulls)
    return values, np.flatnonzero(starts == UNSURE)


@compiled
def _copy(data: Bytes, starts: Ints, into: NDArray[np.int32], found: Bytes) -> None:
    for i in range(starts.size):
        for place in range(into[i + 1] - into[i]):
            found[into[i] + place] = data[starts[i] + place]


@compiled
def _find(data: Bytes, offsets: NDArray[np.int32], names: Bytes, ends: Ints, starts: Ints, lengths: Ints) -> None:
    """``names[ends[k]:ends[k + 1]]``: the name at level k. A member that is null is missing."""
    for i in range(starts.size):
        at, end, level = offsets[i], offsets[i + 1], 0
        starts[i], lengths[i] = MISSING, 0
        while True:  # at the beginning of a value, whose member of this level is looked for
            if at >= end:
                starts[i] = UNSURE
                break
            if data[at] != ord("{"):
                if data[at] == ord("[") or data[at] <= ord(" "):
                    starts[i] = UNSURE
                break
            at += 1
            value = MISSING
            while True:  # at the beginning of a member
                while at < end and (data[at] <= ord(" ") or data[at] == ord(",")):
                    at += 1
                if at >= end or data[at] != ord('"'):
                    if at >= end or data[at] != ord("}"):
                        value = UNSURE
                    break
                at += 1
                name = at
                while at < end and data[at] != ord('"') and data[at] != ord("\\"):
                    at += 1
                if at >= end or data[at] == ord("\\"):
                    value = UNSURE
                    break
                length = ends[level + 1] - ends[level]
                same = at - name == length
                if same:
                    for place in range(length):
                        if data[name + place] != names[ends[level] + place]:
                            same = False
                            break
                at += 1
                while at < end and (data[at] <= ord(" ") or data[at] == ord(":")):
                    at += 1
                value = at
                if same and level + 2 < ends.size:
                    break
                depth = 0
                while at < end:  # over the value
                    byte = data[at]
                    if byte == ord('"'):
                        at += 1
                        while at < end and data[at] != ord('"'):
                            at += 2 if data[at] == ord("\\") else 1
                        at += 1
                        if depth == 0:
                            break
                    elif byte == ord("{") or byte == ord("["):
                        depth += 1
                        at += 1
                    elif byte == ord("}") or byte == ord("]"):
                        if depth == 0:
                            break
                        depth -= 1
                        at += 1
                        if depth == 0:
                            break
                    elif depth == 0 and (byte == ord(",") or byte <= ord(" ")):
                        break
                    else:
                        at += 1
                if same:
                    break
                value = MISSING
            if value < 0 or at > end:
                starts[i] = UNSURE if at > end else value
                break
            if level + 2 < ends.size:
                level += 1
                continue
            if at == end:
                starts[i] = UNSURE
            elif data[value] != ord("n"):
                starts[i], lengths[i] = value, at - value
            break
