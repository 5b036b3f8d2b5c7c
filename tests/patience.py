"""How tests wait for what threads and other processes bring about: so long that only a fault takes it, on however slow a
machine, and no longer than it takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

PATIENCE: Final = 300.0  # seconds


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait until it holds; fails, naming ``what``, when patience ends."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen within {PATIENCE:.0f} s: {what}"
        time.sleep(0.05)


async def soon(condition: Callable[[], bool], what: str) -> None:
    """``eventually``, while the loop's other tasks go on."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen within {PATIENCE:.0f} s: {what}"
        await asyncio.sleep(0.01)
