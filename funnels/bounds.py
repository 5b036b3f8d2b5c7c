"""What one question may take: a deadline and a share of the memory, kept by ending the question and nothing else.

DuckDB keeps its own share (and spills); what a query hands out lies beside it, so it is counted while it comes.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Final

import duckdb
import pyarrow as pa

from funnels.errors import TooLarge, TooSlow
from transforms.engine import Engine, Limits
from transforms.errors import ModelFailed

_ROWS: Final = 100_000
_AGAIN: Final = 0.05  # seconds between two interrupts: one that comes between two queries is lost
_BYTES: Final = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
_compiling: Final = threading.Event()
NARROW: Final = (
    "a shorter range (from, to) or window",
    "rarer events, instead of * or frequent ones",
    "where, on the event's own columns or properties",
    "order sequential instead of strict, which reads events of any name",
    "unit person instead of session",
    "a breakdown without attribution all, which takes exclusions once per value",
)


@contextmanager
def within_limits(engine: Engine, limits: Limits) -> Iterator[None]:
    """Ends what runs in the engine at the deadline; raises ``TooSlow`` and ``TooLarge`` for what passes the limits."""
    done, late = threading.Event(), threading.Event()
    watch = threading.Thread(target=_watch, args=(engine, limits.seconds, done, late), daemon=True)
    if limits.seconds is not None:
        watch.start()
    try:
        yield
    except Exception as error:
        if late.is_set():
            raise _slow(limits) from error
        if _of_memory(error):
            raise too_large(limits) from error
        raise
    finally:
        done.set()
        if limits.seconds is not None:
            watch.join()
    if late.is_set():  # it ended by itself, too late
        raise _slow(limits)


@contextmanager
def compiling() -> Iterator[None]:
    """Loops are compiled or loaded meanwhile. Questions wait, and none is ended for that: there is nothing to narrow."""
    _compiling.set()
    try:
        yield
    finally:
        _compiling.clear()


@contextmanager
def in_turn(engine: Engine, limits: Limits) -> Iterator[None]:
    """As many as there are threads at a time: more of them take longer, all together, and each has its rows in memory.

    Raises ``TimeoutError`` if whoever waits is stopped.
    """
    turns = _turns(limits.threads)
    while not turns.acquire(timeout=_AGAIN):
        if engine.interrupted:
            raise TimeoutError("stopped by whoever asked")
    try:
        yield
    finally:
        turns.release()


@cache
def _turns(threads: int) -> threading.Semaphore:
    return threading.Semaphore(threads)


@contextmanager
def within_memory(limits: Limits) -> Iterator[None]:
    """For work in an engine of its own, such as who is who: raises ``TooLarge`` where its memory runs out."""
    try:
        yield
    except Exception as error:
        if _of_memory(error):
            raise too_large(limits) from error
        raise


def table_within(engine: Engine, text: str, params: Mapping[str, object], limits: Limits) -> pa.Table:
    """All rows of a query; raises ``TooLarge`` as soon as they take more than the question's memory."""
    taken, most, batches = 0, in_bytes(limits.memory), list[pa.RecordBatch]()
    schema = engine.table(f"select * from ({text}) limit 0", params).schema
    for batch in engine.batches(text, _ROWS, params):
        taken += batch.nbytes
        if taken > most:
            raise too_large(limits)
        batches.append(batch)
    return pa.Table.from_batches(batches, schema)


def in_bytes(memory: str) -> int:
    """``in_bytes("512MiB") == 536870912``."""
    found = re.fullmatch(r"([0-9.]+) *([KMG]?I?B)", memory.strip().upper())
    if found is None:
        raise ValueError(f"{memory!r} is no amount of memory such as 512MiB")
    return int(float(found[1]) * _BYTES[found[2]])


def too_large(limits: Limits) -> TooLarge:
    return TooLarge(
        f"This question takes more memory than one may ({limits.memory}). Narrow it, or raise query_memory.", NARROW
    )


def _slow(limits: Limits) -> TooSlow:
    return TooSlow(
        f"This question takes longer than one may ({limits.seconds:g} s). Narrow it, or raise query_seconds.", NARROW
    )


def _watch(engine: Engine, seconds: float | None, done: threading.Event, late: threading.Event) -> None:
    if done.wait(seconds):
        return
    while _compiling.is_set():
        if done.wait(_AGAIN):
            return
    late.set()
    while not done.wait(_AGAIN):
        engine.interrupt()


def _of_memory(error: BaseException | None) -> bool:
    """DuckDB's own error, Python's or Arrow's, or the failure of a model that one of them caused."""
    if isinstance(error, ModelFailed):
        return _of_memory(error.__cause__)
    return isinstance(error, duckdb.OutOfMemoryException | MemoryError) or "Out of Memory Error" in str(error)
