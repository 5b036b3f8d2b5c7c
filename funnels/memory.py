"""What a process that answers questions keeps of the memory that they took.

A question's arrays of some megabytes come and go on many threads. glibc gives each thread a heap of its own, keeps what is
freed there, and takes ever larger arrays from these heaps: ten questions at once left 2 GB behind, of which nothing was
in use. With two heaps, and larger arrays given back at once, it was 0.7 GB, for the same processor time.

Of smaller arrays a heap's last megabytes are kept: by default it gives back all but the last 128 KB whenever something is
freed, so each question had its pages made anew, a sixth of the processor time of a small one.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # of mallopt(3)
_LARGE: Final = 4 << 20  # bytes, given back to the system as soon as they are freed
_ARENAS: Final = 2
_KEPT: Final = 32 << 20  # bytes, of each heap


def give_back() -> bool:
    """For this process, from now on; call it before there are threads. False where there is no glibc."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    asked = ((_ARENA_MAX, _ARENAS), (_MMAP_THRESHOLD, _LARGE), (_TRIM_THRESHOLD, _KEPT))
    return mallopt is not None and all(bool(mallopt(option, value)) for option, value in asked)
