"""Whatever an SDK, its user or the network does to a request: never a 500, and every event it held ends somewhere.

``make fuzz`` runs it for as long as it is told; here it is bounded, and the same each time.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest import replay
from ingest.flush import Flush
from ingest.http import Collector, CollectorSettings
from ingest.ids import Index
from ingest.lake import Lake
from ingest.meter import Met
from ingest.protocols import amplitude, decode, mixpanel, posthog, snowplow
from ingest.protocols.call import Call, Made, received
from ingest.protocols.posthog_event import Event
from ingest.protocols.posthog_verdict import all_sound
from ingest.record import Record, read_segment
from ingest.wal import Log, LogSettings, wall_clock
from tests.ingest.asgi import KnownKeys, MemoryLog
from tests.ingest.fuzz.law import MINTED, Heard, Sent, check_answer, check_events, heard, sent
from tests.ingest.fuzz.seeds import SEEDS, Seed
from tests.ingest.world import rows

EXAMPLES = int(os.environ.get("JCURVE_TEST_FUZZ", "0"))
PROXIED = CollectorSettings(trust_proxy=True)
AT_ONCE = {"posthog": posthog, "amplitude": amplitude, "mixpanel": mixpanel, "snowplow": snowplow}
V1 = next(seed for seed in SEEDS if seed.name == "posthog v1")
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


@bounded(150)
@given(st.integers(0, 2**64).map(Random), st.sampled_from([seed for seed in SEEDS if seed.name.split()[0] in AT_ONCE]))
def test_events_read_in_one_go_are_what_they_are_one_by_one(random: Random, seed: Seed) -> None:
    for record in logged(sent(random, seed))[0]:
        found = decode(record, str)
        with pytest.MonkeyPatch.context() as patched:
            for family in AT_ONCE.values():
                patched.setattr(family, "at_once", lambda *_: None)
            assert decode(record, str) == found


@bounded(300)
@given(st.integers(0, 2**64).map(Random))
def test_posthog_hears_of_each_event_of_v1_what_the_flush_decides(random: Random) -> None:
    records, reply = logged(sent(random, V1))
    if reply.status != 200 or not records or not records[0].path.startswith("/posthog/v1"):
        return
    calls, rejects = decode(records[0], lambda at: f"{MINTED}{at}")
    decided = {call.event_id: "ok" for call in calls if type(call) is Call and not call.event_id.startswith(MINTED)}
    decided |= {reject.event_id: "drop" for reject in rejects if reject.event_id}
    answered = json.loads(reply.body)["results"]
    assert {event_id: one["result"] for event_id, one in answered.items()} == decided


def test_a_light_look_is_enough_for_an_event_as_the_sdk_sends_it_and_for_no_other_that_may_be_rejected() -> None:
    usual = {
        "event": "Signed Up", "uuid": "e-1", "distinct_id": "u", "timestamp": "2026-01-01T00:00:00Z",
        "properties": {"plan": "team", "$groups": {"company": "acme"}}, "options": {"process_person_profile": True},
    }  # fmt: skip
    deep: list[object] = []
    for _ in range(70):
        deep = [deep]
    others: list[dict[str, object]] = [
        {"event": " "}, {"event": "$create_alias"}, {"event": "x" * 501}, {"uuid": ""}, {"distinct_id": "undefined"},
        {"distinct_id": None}, {"properties": [1]}, {"properties": {"a": deep}}, {"properties": {"$set": {"a": 1}}},
        {"offset": 1}, {"$set": {"a": 1}}, {"options": {"cookieless_mode": [[1]]}},
    ]  # fmt: skip
    events = [msgspec.json.decode(msgspec.json.encode(usual | other), type=Event) for other in ({}, *others)]
    assert [all_sound([event], None) for event in events] == [True] + [False] * len(others)


def logged(request: Sent) -> tuple[list[Record], Heard]:
    """What the door logs of a request, and answers."""
    log, met = MemoryLog(), list[Met]()
    reply = asyncio.run(heard(Collector(log, KnownKeys(), PROXIED, meter=met.append), met, request))
    return log.records, reply


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
