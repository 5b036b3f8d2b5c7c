"""``jcurve collect --workers N``: one port, a log each, and one of them killed while all are busy.

``JCURVE_TEST_KILLS=200`` kills 50 times (default 2); ``JCURVE_TEST_SEED`` chooses whom and when.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from api.ports import CannotStart, listen
from api.settings import Settings
from ingest.ids import counts
from ingest.lake import Lake
from tests.api.processes import Running, alive, jcurve, up
from tests.api.test_up import key
from tests.ingest.test_faults import KILLS, SEED, PlainSender
from tests.ingest.world import event_ids, rows, track
from tests.patience import PATIENCE, eventually

WORKERS = 3
CONNECTIONS = 60  # that all miss one worker of three happens once in 30 milliards


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Running]:
    key(tmp_path, "read")  # makes the store
    with up(tmp_path, "--workers", str(WORKERS), "--segment-seconds", "3600", command="collect") as running:
        yield running


class Connection(http.client.HTTPConnection):
    """One that is kept between requests, as SDKs do; after a fault the next request makes a new one."""

    def __init__(self, running: Running, write: str) -> None:
        super().__init__(running.url.removeprefix("http://"), timeout=PATIENCE)
        self._authorization = "Basic " + base64.b64encode(f"{write}:".encode()).decode()

    def post(self, event_id: str) -> int | None:
        """The status, or None where the worker at the other end was gone."""
        try:
            self.request("POST", "/v1/track", json.dumps(track(event_id)), {"Authorization": self._authorization})
            answer = self.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            return None
        return answer.status


def stored(data: Path) -> Counter[str]:
    return Counter(event_ids(Lake(str(data / "lake")), project="default"))


def test_one_that_is_killed_takes_nothing_along_and_the_others_keep_their_connections(collector: Running) -> None:
    data = collector.data
    write = key(data, "write")
    workers = collector.workers()
    assert len(workers) == WORKERS
    with ExitStack() as stack:
        connections = [stack.enter_context(closing(Connection(collector, write))) for _ in range(CONNECTIONS)]
        assert [one.post(f"a{n}") for n, one in enumerate(connections)] == [200] * CONNECTIONS
        victim = min(workers)
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: not alive(victim), "it is gone")
        again = [one.post(f"b{n}") for n, one in enumerate(connections)]
        assert set(again) == {200, None}
        eventually(lambda: len(collector.workers() - {victim}) == WORKERS, "another one stands in its place")
        assert [one.post(f"b{n}") for n, one in enumerate(connections)] == [200] * CONNECTIONS
    refused = jcurve("collect", "--workers", "2", "--port", "0", data=data, expect=2)
    assert "is served by process" in refused.stderr
    assert collector.stop() == 0
    assert stored(data) == Counter(f"{letter}{n}" for letter in "ab" for n in range(CONNECTIONS))
    assert len({row["log"] for row in rows(Lake(str(data / "lake")), "default", "events")}) >= WORKERS
    assert list((data / "log").rglob("*.segment")) == []


def test_whoever_of_them_is_killed_under_load_what_was_acknowledged_is_stored_once(collector: Running) -> None:
    data, chance, stop = collector.data, random.Random(SEED), threading.Event()
    write = key(data, "write")
    port = int(collector.url.rpartition(":")[2])
    senders = [PlainSender(f"plain{at}", port, stop, random.Random(SEED + at), write) for at in range(6)]
    for sender in senders:
        sender.start()
    try:
        for _ in range(max(KILLS // 4, 2)):
            time.sleep(chance.uniform(0.05, 0.6))
            eventually(lambda: bool(collector.workers()), "a worker stands")
            victims = sorted(collector.workers())
            flush = collector.children().get("flush")
            victim = flush if flush is not None and chance.random() < 0.2 else chance.choice(victims)
            os.kill(victim, signal.SIGKILL)
            eventually(lambda gone=victim: not alive(gone), "it is gone")  # type: ignore[misc]
        before = [len(sender.acknowledged) for sender in senders]
        going_on = lambda: all(len(s.acknowledged) > b for s, b in zip(senders, before, strict=True))  # noqa: E731
        eventually(going_on, "every sender is answered again")
    finally:
        stop.set()
        for sender in senders:
            sender.join()
    assert collector.stop() == 0
    acknowledged = set().union(*(sender.acknowledged for sender in senders))
    found = stored(data)
    assert sorted(acknowledged - set(found)) == []
    assert [event_id for event_id, times in found.items() if times > 1] == []
    assert counts(Settings(data=data).folder.index, "default")["accepted"] == len(found)
    assert list((data / "log").rglob("*.segment")) == []


def test_a_port_that_workers_share_is_no_other_servers() -> None:
    mine = listen("127.0.0.1", 0, WORKERS)
    try:
        port = mine[0].getsockname()[1]
        assert {one.getsockname()[1] for one in mine} == {port}
        for workers in (1, 2):
            with pytest.raises(CannotStart, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
                listen("127.0.0.1", port, workers)
    finally:
        for one in mine:
            one.close()
