"""Texts as numbers that stay the same for as long as the process lives: the accounts of a project, by their ids.

An open hash over the bytes themselves, looked into from a compiled loop; who meets a text first appends it.
"""

from __future__ import annotations

import threading
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from funnels.kernel import Codes
from funnels.kernel.words import compiled, inner

Bytes = NDArray[np.uint8]

UNKNOWN: Final = -1
_PRIME, _BASIS = 1099511628211, -3750763034362895579  # FNV-1a of 64 bits


class Words:
    """For several threads."""

    def __init__(self) -> None:
        self._texts = pa.array([], pa.string())
        self._slots = np.full(16, UNKNOWN, np.int32)
        self._lock = threading.Lock()
        self.learned: set[str] = set()
        """Keys of row groups all of whose texts are known."""

    def __len__(self) -> int:
        return len(self._texts)

    @property
    def texts(self) -> pa.StringArray:
        return self._texts

    def codes(self, texts: pa.StringArray) -> Codes:
        """UNKNOWN for null; what was not known is from now on."""
        found = self._found(texts)
        new = (found == UNKNOWN) & texts.is_valid().to_numpy(zero_copy_only=False)
        if new.any():
            self._add(texts.filter(pa.array(new)).unique())
            found = self._found(texts)
        return found

    def _found(self, texts: pa.StringArray) -> Codes:
        slots = self._slots  # before the texts, which are never fewer than it has
        known = self._texts
        found = np.empty(len(texts), np.int32)
        _find(*_parts(texts), *_parts(known), slots, found)
        if texts.null_count:
            found[texts.is_null().to_numpy(zero_copy_only=False)] = UNKNOWN
        return found

    def _add(self, texts: pa.StringArray) -> None:
        with self._lock:
            missing = texts.filter(pc.is_null(pc.index_in(texts, value_set=self._texts)))
            self._texts = pa.concat_arrays([self._texts, missing])
            slots = np.full(1 << max(4, (2 * len(self._texts)).bit_length()), UNKNOWN, np.int32)
            _fill(*_parts(self._texts), slots)
            self._slots = slots


def _parts(texts: pa.StringArray) -> tuple[Bytes, Codes]:
    """The bytes, and where each text begins and ends; read-only."""
    offsets = np.frombuffer(texts.buffers()[1] or b"\0\0\0\0", np.int32, len(texts) + 1, 4 * texts.offset)
    return np.frombuffer(texts.buffers()[2] or b"", np.uint8), offsets


@inner
def _hash(data: Bytes, begin: int, end: int) -> int:
    value = np.int64(_BASIS)
    for place in range(begin, end):
        value = (value ^ np.int64(data[place])) * np.int64(_PRIME)
    return int(value ^ (value >> np.int64(32)))


@compiled
def _fill(data: Bytes, offsets: Codes, slots: Codes) -> None:
    for i in range(offsets.size - 1):
        at = _hash(data, offsets[i], offsets[i + 1]) & (slots.size - 1)
        while slots[at] != UNKNOWN:
            at = (at + 1) & (slots.size - 1)
        slots[at] = i


@compiled
def _find(data: Bytes, offsets: Codes, known: Bytes, ends: Codes, slots: Codes, found: Codes) -> None:
    for i in range(offsets.size - 1):
        begin, length = offsets[i], offsets[i + 1] - offsets[i]
        at = _hash(data, begin, offsets[i + 1]) & (slots.size - 1)
        found[i] = UNKNOWN
        while slots[at] != UNKNOWN:
            code = slots[at]
            if ends[code + 1] - ends[code] == length:
                same = True
                for place in range(length):
                    if data[begin + place] != known[ends[code] + place]:
                        same = False
                        break
                if same:
                    found[i] = code
                    break
            at = (at + 1) & (slots.size - 1)
