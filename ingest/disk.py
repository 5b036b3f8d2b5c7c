"""Room on the disk: how much is free, and how much the log leaves to the flush.

The log stops taking events while some room is left, because only the flush can make room again: it must write a segment's
events to the lake before it may delete the segment.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_LEAST: Final = 2 << 20
_MOST: Final = 64 << 20
_SHARE: Final = 100


def free_bytes(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def reserve_bytes(folder: Path) -> int:
    """What the log leaves free: one per cent of the disk, 2 MiB at least and 64 MiB at most.

    The least is for the fixed part of a flush: a commit of the lake and the pages that LMDB copies.
    """
    disk = os.statvfs(folder)
    return max(_LEAST, min(_MOST, disk.f_blocks * disk.f_frsize // _SHARE))
