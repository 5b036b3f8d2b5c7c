"""What the benchmark of the protocols sends is what their decoders take, whole and as the same facts."""

from __future__ import annotations

import pytest

from ingest.keys import Key
from ingest.protocols import decode
from tests.bench.protocols import Found, InFlight, table
from tests.bench.sdks import KEY, SDKS, Sdk
from tests.bench.workers import Scaled
from tests.ingest import asgi


@pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: sdk.name)
def test_each_sdk_says_the_same_of_an_event(sdk: Sdk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(asgi.KEYS, KEY, Key("default", "bench", "write"))
    door = asgi.Door()
    reply = door.send("POST", sdk.path, sdk.body(40, 3), {**dict(sdk.headers), "authorization": asgi.basic(f"{KEY}:")})
    assert reply.status == 200
    (record,) = door.log.records
    calls, rejects = decode(record, str)
    assert rejects == []
    assert [(call.kind, call.event, call.user_id) for call in calls] == [
        ("track", "Signed Up", "user-40"),
        ("track", "Project Created", "user-41"),
        ("track", "Task Completed", "user-42"),
    ]
    assert len({call.event_id for call in calls}) == 3


def test_the_table_marks_what_is_within_thirty_percent_of_segments_figures() -> None:
    fast = Found(SDKS[0], 500, [1000.0], [1000.0], [2000.0], [0.001, 0.002], 1300.0, 100)
    slow = Found(SDKS[5], 600, [1000.0], [700.0], [2000.0], [0.001, 0.030], 1001.0, 120)
    scaled = [Scaled(1, 100.0, 110.0, 1.0, 0.4), Scaled(2, 150.0, 110.0, 0.625, 0.6)]
    text = table([fast, slow], InFlight(1_000_000, 900, 200), scaled)
    rows = [line for line in text.splitlines() if line.startswith(("| segment", "| mixpanel"))]
    assert rows == [
        "| segment | 500 | 1,000 ✓ | 0.50 × | 2.0 ms | 2.0 ms ✓ | 1,300 ✓ | 100 MB |",
        "| mixpanel | 600 | 700 ✗ | 0.50 × | 30.0 ms | 30.0 ms ✗ | 1,001 ✓ | 120 MB |",
    ]
    assert "door 200 MB, flush 900 MB at their peaks (aim: less than 1,024 MB together ✗)" in text
    assert "2 workers 150 (110), 1.50 × by the clock, since the senders took 0.6 of the " in text
    assert "with senders elsewhere, 1.60 × (aim: 1.7 ✗), the busiest had 62%" in text
