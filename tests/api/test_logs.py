"""The logs of all roles: one form, and nothing in them of what was sent."""

from __future__ import annotations

import asyncio
import base64
import gc
import io
import json
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.logs import OURS, configure
from api.settings import Settings
from api.store import open_store
from ingest.batch import decoded
from ingest.record import Record
from tests.api.processes import Running, up
from tests.api.test_up import accepted, key
from tests.api.world import NOW
from tests.patience import PATIENCE, eventually

MARK = "Geheimnis"  # in every id, name, address and body that the tests send


class Lines:
    """What a process tells that was configured with these settings."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def lines(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    import sys
    import threading

    gc.collect()  # what tests before it have left is not told here
    root = logging.getLogger()
    before, hooks = (root.handlers[:], root.level), (sys.excepthook, threading.excepthook)
    levels = {name: logging.getLogger(name).level for name in OURS}
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    configure(Settings(log_format=getattr(request, "param", "json"), log_level="debug"), "door", 3)
    yield Lines(stream)
    root.handlers[:], root.level = before
    (sys.excepthook, threading.excepthook) = hooks
    logging.captureWarnings(False)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def test_a_line_says_when_who_and_what_in_fields(lines: Lines) -> None:
    logging.getLogger("ingest.flush").info("flushed", extra={"events": 12, "log": "0001"})
    logging.getLogger("httpx").info("HTTP Request: GET http://here/?key=1")
    (line,) = lines.told
    assert line.pop("timestamp").endswith("Z")
    assert list(line) == ["level", "role", "worker", "pid", "logger", "event", "events", "log"]
    own = {"level": "info", "role": "door", "worker": 3, "pid": os.getpid(), "logger": "ingest.flush"}
    assert line == {**own, "event": "flushed", "events": 12, "log": "0001"}


@pytest.mark.parametrize("lines", ["text"], indirect=True)
def test_as_text_a_line_is_pairs_and_an_error_stays_on_it(lines: Lines) -> None:
    try:
        raise OSError(28, "No space left on device", "/data/log")
    except OSError:
        logging.getLogger("ingest.wal").exception("the log cannot store")
    (line,) = lines.text.splitlines()
    assert line.startswith("timestamp=")
    assert f' level=error role=door worker=3 pid={os.getpid()} logger=ingest.wal event="the log cannot store"' in line
    assert """ error="OSError: [Errno 28] No space left on device: '/data/log'" traceback="api/test_logs.py:""" in line


def test_of_an_error_that_may_quote_what_was_sent_only_its_type_and_place_are_told(lines: Lines) -> None:
    def broken(*_: object) -> Any:
        try:
            int(MARK)
        except ValueError as error:
            raise RuntimeError(f"cannot read {MARK}") from error

    record = Record(0, "default", "web", f"/posthog/events?sent_at={MARK}", "", MARK, MARK.encode())
    assert len(decoded(broken, record, str)[1]) == 1
    (line,) = lines.told
    assert (line["event"], line["family"], line["error"]) == (
        "a decoder failed; the request is kept in rejected",
        "posthog",
        "RuntimeError",
    )
    assert "test_logs.py" in line["traceback"] and line["traceback"].count("because of ValueError > ") == 1
    assert MARK not in lines.text


def test_what_looks_like_a_key_or_a_password_is_struck_out(lines: Lines) -> None:
    logging.getLogger("api").warning("jw_abc-DEF_9 and jr_xyz", extra={"store": "postgresql://jcurve:hush@db/x"})
    (line,) = lines.told
    assert (line["event"], line["store"]) == ("jw_… and jr_…", "postgresql://jcurve:…@db/x")


def test_what_nobody_caught_is_told_in_the_same_way(lines: Lines) -> None:
    async def fail() -> None:
        raise ValueError(MARK)

    async def leave_it() -> None:
        task = asyncio.get_running_loop().create_task(fail())
        await asyncio.wait({task})
        del task

    import sys

    asyncio.run(leave_it())
    gc.collect()
    try:
        raise ValueError(MARK)
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    told = [(line["logger"], line["level"], line["event"], line["error"]) for line in lines.told]
    assert told == [
        ("asyncio", "error", "Task exception was never retrieved", "ValueError"),
        ("api.logs", "critical", "ended by an error", "ValueError"),
    ]
    assert MARK not in lines.text


def send_everything(running: Running, write: str, read: str, admin: str) -> None:
    """Good and bad requests of every family, and questions, with MARK wherever something can be said."""
    call = {"type": "track", "event": f"{MARK} done", "userId": f"{MARK}-user", "properties": {"mail": f"{MARK}@x"}}
    basic = {"Authorization": "Basic " + base64.b64encode(f"{write}:".encode()).decode()}
    bodies: list[bytes] = [
        json.dumps(body).encode()
        for body in (
            {"batch": [call, {**call, "type": MARK}, {**call, "userId": {"id": MARK}}, {**call, "event": MARK * 9000}]},
            {"api_key": f"jw_{MARK}", "batch": [{"event": MARK, "distinct_id": MARK, "properties": {"$set": MARK}}]},
            {"api_key": write, "events": [{"event_type": MARK, "user_id": MARK, "time": MARK}, {"user_id": [MARK]}]},
            [{"event": MARK, "properties": {"token": write, "distinct_id": {"a": MARK}}}],
            {"schema": MARK, "data": [{"e": "ue", "ue_px": MARK, "aid": write}, {"e": MARK, "uid": MARK, "aid": write}]},
            {"batch": MARK},
        )
    ]
    bodies += [f'{{"batch": [{MARK}'.encode(), MARK.encode() * 90_000, b"\x1f\x8b" + MARK.encode(), b"\xff" + MARK.encode()]
    paths = ("/v1/batch", "/v1/track", "/batch", "/i/v0/e", "/i/v1/analytics/events", "/2/httpapi", "/track", "/engage",
             "/import?strict=1", f"/com.{MARK}/tp2", f"/i?e=ue&ue_px={MARK}", f"/pixel/v1/track?writeKey=jw_{MARK}",
             f"/{MARK}", f"/v1/projects/{MARK}/settings")  # fmt: skip
    questions = ({"steps": [{"event": MARK}], "from": MARK}, {"steps": MARK}, {"steps": [{"event": MARK}], "window": MARK})
    with httpx.Client(base_url=running.url, timeout=PATIENCE, trust_env=False) as client:
        for path in paths:
            for body in bodies:
                client.post(path, content=body, headers=basic)
            client.post(path, content=bodies[0], headers={"Authorization": f"Bearer jw_{MARK}"})
            client.get(path)
        for token in (read, admin, f"jr_{MARK}"):
            headers = {"Authorization": f"Bearer {token}"}
            for question in questions:
                client.post("/api/funnel", json=question, headers=headers)
            for path in (f"people/{MARK}", f"metrics/{MARK}", f"events/recent?limit={MARK}", "events/recent", "status"):
                client.get(f"/api/{path}", headers=headers)
            client.delete(f"/api/people/{MARK}-user?why={MARK}", headers=headers)


def test_whatever_goes_wrong_the_logs_tell_it_without_keys_ids_or_bodies(tmp_path: Path) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    write, read = key(data, "write"), key(data, "read")
    settings = Settings(data=data)
    with open_store(settings.store_address, settings.folder, NOW) as store:
        admin = store.create_key("default", "admin", MARK, NOW)
    verbose = ("--log-level", "debug", "--log-format", "json", "--max-body", "400KiB", "--workers", "2")
    still = ("--tidy", "off", "--hourly-build", "off", "--nightly-build", "off")  # not over files that are broken below
    with log.open("w") as told, up(data, *verbose, *still, logs=told) as running:
        good = {"batch": [{"type": "track", "event": MARK, "userId": MARK, "messageId": "m1"}]}
        assert running.post("/v1/batch", good, write).status_code == 200
        eventually(lambda: accepted(running, read) >= 1, "the lake has it")
        for file in (data / "lake" / "default" / "events").rglob("*.parquet"):
            file.write_bytes(MARK.encode() * 100)  # so that questions fail in the middle
        assert running.get("/api/events/recent", read).status_code >= 500
        send_everything(running, write, read, admin)
        os.kill(min(running.workers()), signal.SIGKILL)
        eventually(lambda: "starting it again" in log.read_text(), "the supervisor tells of it")
        assert running.stop() == 0
    text = log.read_text()
    assert [line for line in text.splitlines() if not line.startswith('{"timestamp": ')] == []
    lines = [json.loads(line) for line in text.splitlines()]
    assert {line["role"] for line in lines} == {"up", "prepare", "door", "flush", "work", "serve"}
    assert {line.get("worker") for line in lines if line["role"] == "door"} == {0, 1}
    failed = [line for line in lines if line["event"] == "a request failed"]
    assert {(line["method"], line["route"]) for line in failed} >= {("GET", "/api/events/recent")}
    assert any(line["event"] == "events left the log" and line.get("accepted") for line in lines)
    for secret in (MARK, write, read, admin):
        assert [line for line in text.splitlines() if secret in line] == []
