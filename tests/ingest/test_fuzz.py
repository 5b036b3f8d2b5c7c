"""Whatever an SDK, its user or the network does to a request: never a 500, and every event it held ends somewhere.

``make fuzz`` runs it for as long as it is told; here it is bounded, and the same each time.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest import replay
from ingest.flush import Flush
from ingest.http import Collector, CollectorSettings
from ingest.ids import Index
from ingest.lake import Lake
from ingest.meter import Met
from ingest.protocols import decode
from ingest.protocols.call import Made, received
from ingest.record import Record, read_segment
from ingest.wal import Log, LogSettings, wall_clock
from tests.ingest.asgi import KnownKeys, MemoryLog
from tests.ingest.fuzz.law import MINTED, Sent, check_answer, check_events, heard, sent
from tests.ingest.fuzz.seeds import SEEDS, Seed
from tests.ingest.world import rows

EXAMPLES = int(os.environ.get("JCURVE_TEST_FUZZ", "0"))
PROXIED = CollectorSettings(trust_proxy=True)
LAST = Sent("POST", "/v1/page", b"", [(b"authorization", b"Bearer jw_web")], b'{"userId":"u","messageId":"last"}', 1)


def bounded(examples: int) -> settings:
    """So many examples and the same each time; with JCURVE_TEST_FUZZ so many others."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    return settings(
        max_examples=EXAMPLES or examples, derandomize=not EXAMPLES, deadline=None, database=None, suppress_health_check=slow
    )


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_a_damaged_request_is_answered_and_each_of_its_events_ends_as_one_call_or_reject(seed: Seed) -> None:
    @bounded(40)
    @given(st.integers(0, 2**64).map(Random))
    def run(random: Random) -> None:
        request, log, met = sent(random, seed), MemoryLog(), list[Met]()
        reply = asyncio.run(heard(Collector(log, KnownKeys(), PROXIED, meter=met.append), met, request))
        check_answer(request, reply, len(log.records))
        for record in log.records:
            check_events(request, record)

    run()


@bounded(4)
@given(st.integers(0, 2**64).map(Random))
def test_what_was_acknowledged_is_in_the_lake_as_accepted_duplicate_or_rejected_and_the_flush_goes_on(
    random: Random,
) -> None:
    requests = [*(sent(random, random.choice(SEEDS)) for _ in range(60)), LAST]
    with TemporaryDirectory() as folder:
        data = Path(folder)
        events = [check_events(None, record, at) for at, record in enumerate(through(data / "log", requests))]
        lake = Lake(str(data / "lake"))
        with Index(data / "index") as index:
            Flush(data / "log", lake, index).once()
            counts = {label: number for label, number in index.counts("default").items() if number}
        assert list((data / "log").glob("*/*.segment")) == []
        stored, rejected = rows(lake, "default", "events"), rows(lake, "default", "rejected")
        replayed(data, lake, counts)
    calls, rejects = [one for found, _ in events for one in found], [one for _, found in events for one in found]
    assert counts["accepted"] + counts.get("duplicate", 0) == received(calls)
    assert len(stored) == len({row["event_id"] for row in stored})
    assert len(stored) - counts["accepted"] == len({call.event_id for call in calls if type(call) is Made})
    ids = {row["event_id"] for row in stored}
    assert all(call.event_id in ids for call in calls if not call.event_id.startswith(MINTED))
    assert Counter(row["raw"] for row in rejected) == Counter(one.raw for one in rejects)
    assert sum(number for label, number in counts.items() if label.startswith("rejected:")) == len(rejects)
    assert "last" in ids


def replayed(data: Path, lake: Lake, counts: dict[str, int]) -> None:
    """Whatever was rejected may be decoded again, with more room: some of it is sound then, and the rest stays as it was."""
    handle = lake.open("default", "rejected")
    if handle is None:
        return
    before = len(rows(lake, "default", "rejected"))
    replay.hand_over(data / "import", "default", handle.to_pyarrow_table(), wall_clock)
    with Index(data / "index") as index:
        Flush(data / "log", lake, index, decoder=partial(decode, max_event_bytes=1 << 24)).once()
        after = index.counts("default")
    assert list((data / "import").iterdir()) == []
    left = len(rows(lake, "default", "rejected"))
    assert all(number >= 0 for number in after.values())
    assert sum(number for label, number in after.items() if label.startswith("rejected:")) == left
    taken = sum(after.get(label, 0) - counts.get(label, 0) for label in ("accepted", "duplicate"))
    assert taken >= before - left


def through(root: Path, requests: list[Sent]) -> list[Record]:
    """What these requests leave in a collector's log on disk."""
    met: list[Met] = []

    async def run() -> int:
        log, logged = Log.open(root, LogSettings(segment_age=60)), 0
        try:
            door = Collector(log, KnownKeys(), PROXIED, meter=met.append)
            for request in requests:
                reply = await heard(door, met, request)
                logged += reply.outcome not in ("unknown_key", "discarded", "none")
        finally:
            log.close()
        return logged

    logged = asyncio.run(run())
    found = [record for path in sorted(root.glob("*/*.segment")) for _, record in read_segment(path)]
    assert len(found) == logged
    return found
