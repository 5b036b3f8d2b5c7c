"""``python -m tests.bench.identity [IDS]``: who is who over so many ids (10 M by default), in a process of its own.

A user has four devices, each linked to it; one user in a hundred is an alias of another. The events are one identify per
link, written to the lake without a log, so that identity alone is measured.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import pyarrow as pa

from ingest.actor import actor_id
from ingest.event import EVENTS, month_of
from ingest.lake import Lake
from transforms import ledger
from transforms.core import who_is_who
from transforms.draft import Draft
from transforms.engine import Engine, Limits
from transforms.manifest import Manifest, publish
from transforms.overlay import identity, work_out
from transforms.tables import TABLES
from transforms.undo import Hand, undo

T = TypeVar("T")

DEVICES: Final = 4
BATCH: Final = 1_000_000
NOW: Final = datetime(2026, 3, 1, tzinfo=UTC)
LIMITS: Final = Limits("3GB", 2)
PROJECT: Final = "bench"


def main(ids: int) -> None:
    with tempfile.TemporaryDirectory(prefix="jcurve-bench-") as folder:
        lake = Lake(str(Path(folder) / "lake"))
        users = ids // (DEVICES + 1)
        for number, first in enumerate(range(0, users, BATCH // DEVICES), 1):
            rows = identifies(first, min(first + BATCH // DEVICES, users))
            lake.append(PROJECT, "events", rows, writer="bench", batch=number, partition="month")
        print(f"{ids:,} ids, {users * DEVICES:,} links; peak {peak():,.0f} MB while writing", flush=True)
        measure(lake)


def measure(lake: Lake) -> None:
    events = lake.version(PROJECT, "events")
    held = timed("gather the links into the ledger", lambda: ledger.gather(lake, PROJECT, events, LIMITS))
    versions = timed("full rebuild: actors and memberships made and stored", lambda: rebuilt(lake, events, held))
    manifest = Manifest(1, versions, NOW, NOW, "bench")
    publish(lake, PROJECT, manifest)
    timed("answer from the build's tables", lambda: asked(lake, events, manifest))
    one = identifies(0, 1, late=True).slice(0, 1)
    lake.append(PROJECT, "events", one, writer="bench", batch=10_000, partition="month")
    newest = lake.version(PROJECT, "events")
    timed("one link: seen by the next answer", lambda: asked(lake, newest, manifest))
    hand = Hand("bench", "bench", NOW)
    timed("one undo: written", lambda: undo(lake, PROJECT, "link-5", hand, LIMITS))
    timed("one undo: seen by the next answer", lambda: asked(lake, newest, manifest))


def rebuilt(lake: Lake, events: int | None, held: int | None) -> dict[str, int]:
    versions = {"events": events or 0, ledger.LEDGER: held or 0}
    with Engine(lake, PROJECT, versions, LIMITS) as engine:
        for model in who_is_who():
            began = time.perf_counter()
            work_out(engine, model)
            if (name := model.query.name) in TABLES:
                engine.view("nothing", f"from {name} limit 0")
                draft = Draft(engine, model.query, None)
                draft.replace("nothing", name)
                versions[name] = draft.commit() or 0
                engine.drop(name)
                engine.read(name, name, lake.files(PROJECT, name))
            print(f"    {name}: {time.perf_counter() - began:.2f} s", flush=True)
    return versions


def asked(lake: Lake, events: int | None, manifest: Manifest) -> int:
    """Who is who for a question, and a scan of it."""
    known = identity(lake, PROJECT, events, manifest, LIMITS)
    with Engine(lake, PROJECT, known.built, LIMITS) as engine:
        known.bind(engine)
        return int(engine.table("select count(distinct person_id) as people from actors")["people"][0].as_py())


def identifies(first: int, end: int, late: bool = False) -> pa.Table:
    """An identify per device of the users ``first`` to ``end``, and an alias for one user in a hundred."""
    users = np.repeat(np.arange(first, end), DEVICES)
    devices = np.arange(first * DEVICES, end * DEVICES) + (10**9 if late else 0)
    count = len(users)
    names = [f"{user:x}" for user in users.tolist()]
    alias = (devices % (100 * DEVICES) == 0) & (users > 0)
    columns = {
        "event_id": [f"{'late' if late else 'link'}-{device}" for device in devices.tolist()],
        "kind": np.where(alias, "alias", "identify"),
        "event": np.where(alias, "$alias", "$identify"),
        "time": [NOW - timedelta(seconds=int(device) % 10_000_000) for device in devices.tolist()],
        "received_at": pa.repeat(pa.scalar(NOW, EVENTS.field("received_at").type), count),
        "anonymous_id": [f"{device:032x}" for device in devices.tolist()],
        "user_id": names,
        "previous_id": [f"{user - 1:x}" if one else None for user, one in zip(users.tolist(), alias.tolist(), strict=True)],
        "actor_id": [actor_id("user", name) for name in names],
        "source": pa.repeat("bench", count),
        "bot": pa.repeat(False, count),
        "properties": pa.repeat("{}", count),
        "context": pa.repeat("{}", count),
        "log": pa.repeat("bench", count),
        "log_offset": pa.repeat(0, count),
        "month": pa.repeat(month_of(NOW, NOW), count),
    }
    empty = {field.name: pa.nulls(count, field.type) for field in EVENTS if field.name not in columns}
    return pa.table({name: columns.get(name, empty.get(name)) for name in EVENTS.names}, schema=EVENTS)


def timed(what: str, work: Callable[[], T]) -> T:
    began, busy = time.perf_counter(), time.process_time()
    found = work()
    wall, cpu = time.perf_counter() - began, time.process_time() - busy
    print(f"{what}: {wall:.2f} s ({cpu:.2f} s of both cores), peak {peak():,.0f} MB", flush=True)
    return found


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000)
