"""What the door notes of a request with events, for whoever counts; the door itself knows no metrics library."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Met:
    """One request. ``source`` is empty where its key is not known; ``protocol`` is the file of its family."""

    source: str = ""
    protocol: str = ""
    outcome: str = (
        "hung_up"  # or stored, discarded, unknown_key, source_off, unavailable, or why it was refused (``Outcome``)
    )
    size: int = 0  # bytes, unwrapped
    started: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started


Meter = Callable[[Met], None]


def unmetered(_: Met) -> None:
    """Where nobody counts."""
