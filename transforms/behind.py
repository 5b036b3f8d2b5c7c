"""A build's second hand: leaves are written beside the models that follow, on a thread and by an engine of their own.

Most of a repair's queries are short and keep one core busy, so does the writing of a leaf. What waits here is written in the
order in which it came; a fault is told to whoever asks for the result, which the build does before it commits anything.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import Final, Self, TypeVar

from ingest.lake import Lake
from transforms.engine import Engine, Limits

_Found = TypeVar("_Found")
_MEMORY: Final = "512MB"


class Behind:
    """Use as a context manager; who leaves it without asking for a result stops what goes on."""

    def __init__(self, lake: Lake, project: str, limits: Limits) -> None:
        self._engine = Engine(lake, project, {}, replace(limits, memory=_MEMORY, threads=1))
        self._pool = ThreadPoolExecutor(1, "leaves")

    def begin(self, work: Callable[[Engine], _Found]) -> Future[_Found]:
        """Lets ``work`` be done after what was begun before; it has the engine to itself."""
        return self._pool.submit(work, self._engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            self._engine.interrupt()
        self._pool.shutdown(cancel_futures=True)
        self._engine.close()
