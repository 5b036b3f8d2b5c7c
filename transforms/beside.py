"""The checks of the events alone, in a thread beside the models: a build leaves a core idle here and there, and they need no
table but the events. They have a small engine of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from ingest.lake import Lake
from transforms import checks
from transforms.engine import Engine, Limits
from transforms.errors import Violation

_MEMORY: Final = "512MB"


@contextmanager
def events_checked(
    lake: Lake, project: str, events: int | None, months: Sequence[str], limits: Limits
) -> Iterator[Callable[[], list[Violation]]]:
    """Begins the checks of each month's events; what it yields waits for them, and tells how they are broken.

    Who leaves without asking, by a fault, waits for no more than the month at hand.
    """
    with (
        Engine(lake, project, {"events": events}, replace(limits, memory=_MEMORY, threads=1)) as engine,
        ThreadPoolExecutor(1, "checks") as pool,
    ):
        found = pool.submit(checks.of_events, engine, months)
        try:
            yield found.result
        finally:
            if not found.done():
                engine.interrupt()
