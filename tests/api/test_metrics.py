"""``GET /metrics``: figures of all processes in one answer, for neighbours only."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.settings import Settings
from api.store import open_store
from api.watching import near
from tests.api.processes import Running, up
from tests.api.world import NOW
from tests.patience import PATIENCE, eventually
from tests.readme import README


def samples(running: Running) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = running.get("/metrics")
    assert answer.status_code == 200
    found = text_string_to_metric_families(answer.text)
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in found for one in family.samples}


def labels(**given: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(given.items()))


def test_metrics_tell_what_all_processes_did_by_source_protocol_and_outcome(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    settings.folder.create()
    (settings.folder.metrics / "counter_999999999.db").write_bytes(b"of a process that is gone")
    with open_store(settings.store_address, settings.folder, NOW) as store:
        write = store.create_key("default", "write", "web", NOW)
    event = {"event": "A", "userId": "user-ada", "messageId": "m1"}
    with up(tmp_path, "--workers", "2") as running:
        for _ in range(10):
            assert running.post("/v1/track", event, write).status_code == 200
        assert running.post("/v1/track", event, "jw_wrong").status_code == 401
        assert running.post("/v1/track", "no object", write).status_code == 400
        capture = {"api_key": write, "event": "A", "distinct_id": "user-ada", "uuid": "m2"}
        assert running.post("/i/v0/e", capture, write).status_code == 200
        web = {"source": "web", "protocol": "segment"}
        found = samples(running)
        assert found["jcurve_requests_total", labels(**web, outcome="stored")] == 10
        assert found["jcurve_requests_total", labels(source="", protocol="segment", outcome="unknown_key")] == 1
        assert found["jcurve_requests_total", labels(**web, outcome="unreadable")] == 1
        assert found["jcurve_request_bytes_total", labels(**web, outcome="stored")] >= 500
        assert found["jcurve_request_seconds_count", labels(protocol="segment")] == 12
        assert found["jcurve_log_commit_seconds_count", ()] >= 1
        ended = {"project": "default", **web}
        accepted, twice = (("jcurve_events_total", labels(**ended, outcome=name)) for name in ("accepted", "duplicate"))
        eventually(lambda: samples(running).get(accepted) == 1, "the flush has told of its events")
        eventually(lambda: samples(running).get(twice) == 9, "and of those that came in later segments, or by another log")
        eventually(
            lambda: ("jcurve_lake_files", labels(project="default", table="events")) in samples(running), "files are counted"
        )
        found = samples(running)
        posthog = {**ended, "protocol": "posthog", "outcome": "accepted"}
        eventually(lambda: samples(running).get(("jcurve_events_total", labels(**posthog))) == 1, "each by its protocol")
        assert found["jcurve_log_bytes", labels(log="0001")] >= 0
        assert found["jcurve_log_age_seconds", labels(log="0002")] < PATIENCE
        text = running.get("/metrics").text
        readme = README.read_text()
        assert [name for name in re.findall(r"^# TYPE (jcurve_\w+)", text, re.MULTILINE) if f"`{name}`" not in readme] == []
        assert write not in text
        assert "user-ada" not in text
        with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
            far = client.get(f"{running.url}/metrics", headers={"X-Forwarded-For": "192.0.2.1"})
        assert far.status_code == 403


@pytest.mark.parametrize(
    ("address", "answered"),
    [("127.0.0.1", True), ("::1", True), ("10.1.2.3", True), ("8.8.8.8", False), ("2001:4860::1", False), ("", False)],
)
def test_only_neighbours_are_told(address: str, answered: bool) -> None:
    assert near({"headers": [], "client": (address, 1)}) is answered
    assert not near({"headers": [(b"x-forwarded-for", b"127.0.0.1")], "client": ("127.0.0.1", 1)})
