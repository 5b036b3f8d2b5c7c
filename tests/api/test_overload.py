"""Senders that are slow, large or too many, against a real collector: it answers the others, and its memory is bounded."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from api.settings import Settings
from api.store import open_store
from ingest.ids import counts
from tests.api.processes import Running, jcurve, up
from tests.api.world import NOW
from tests.ingest.world import track
from tests.patience import PATIENCE, eventually


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("overload") / "data"


@pytest.fixture(scope="module")
def collector(data: Path) -> Iterator[Running]:
    with up(data, "--uploads", "16MiB", "--queue", "4MiB", command="collect") as running:
        yield running


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One that a busy machine's test may keep waiting too long: for those that do so on purpose."""
    with up(tmp_path_factory.mktemp("impatient"), "--request-seconds", "1.5", command="collect") as running:
        yield running


def key(data: Path, source: str = "web") -> str:
    settings = Settings(data=data)
    settings.folder.create()
    with open_store(settings.store_address, settings.folder, NOW) as store:
        return store.create_key("default", "write", source, NOW)


class Sender:
    """A connection on which a test says what it likes."""

    def __init__(self, running: Running) -> None:
        host, port = running.url.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=PATIENCE)

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def head(self, path: str, key: str, length: int) -> None:
        user = base64.b64encode(f"{key}:".encode()).decode()
        self.say(
            f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {user}\r\nContent-Length: {length}\r\n\r\n".encode()
        )

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def cut_off(self, trickle: bytes) -> bool:
        """Does the collector hang up, while bytes keep coming, before they end?"""
        self.socket.settimeout(0.05)
        for byte in trickle:
            try:
                if self.socket.recv(1000) == b"":
                    return True
                raise AssertionError("it was answered")
            except TimeoutError:
                pass
            except ConnectionError:
                return True
            try:
                self.say(bytes([byte]))
            except ConnectionError:
                return True
        return False

    def answer(self) -> tuple[int, str]:
        """Status and text of one answer, its body read to the end: head and body may come apart."""
        said = b""
        while b"\r\n\r\n" not in said:
            said += self.more(said)
        head, _, body = said.partition(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        while len(body) < length:
            body += self.more(head + body)
        return int(said.split()[1]), (head + b"\r\n\r\n" + body).decode()

    def more(self, said: bytes) -> bytes:
        part = self.socket.recv(65536)
        assert part, said
        return part


@pytest.mark.parametrize("where", ["nothing", "head", "body", "second request"])
def test_who_trickles_is_cut_off_and_leaves_nothing(impatient: Running, where: str) -> None:
    write = key(impatient.data)
    with Sender(impatient) as sender:
        if where == "body":
            sender.head("/v1/track", write, 10_000)
        if where == "second request":
            body = json.dumps(track(None)).encode()
            sender.head("/v1/track", write, len(body))
            sender.say(body)
            assert sender.answer()[0] == 200
        trickle = b'{"event": "A"} ' if where == "body" else b"POST /v1/track HTTP/1.1\r\nX-A: " + b"a" * 200
        if where == "nothing":
            assert sender.socket.recv(1) == b""
        else:
            assert sender.cut_off(trickle * 20)
    assert impatient.get("/ready").status_code == 200


def test_who_would_rather_speak_http2_is_heard_all_the_same(collector: Running, data: Path) -> None:
    """Java's own client and ``curl --http2`` ask so, with a body behind it."""
    body = json.dumps({"writeKey": key(data), **track(None)}).encode()
    asked = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    head = f"POST /v1/track HTTP/1.1\r\nHost: x\r\n{asked}Content-Length: {len(body)}\r\n\r\n".encode()
    with Sender(collector) as sender:
        for sent in (head + body, head.lower().replace(b"post /v1/track http", b"POST /v1/track HTTP") + body):
            sender.say(sent)
            assert sender.answer()[0] == 200


def test_a_head_without_end_is_cut_off(collector: Running) -> None:
    with Sender(collector) as sender, pytest.raises(ConnectionError):
        sender.say(b"GET /health HTTP/1.1\r\n")
        for _ in range(1000):
            sender.say(b"X-More: " + b"x" * 2000 + b"\r\n")
        while sender.socket.recv(1000):
            pass
        raise ConnectionError


def resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def test_a_flood_of_large_bodies_takes_no_more_memory_than_its_budget_and_others_are_served(tmp_path: Path) -> None:
    with up(tmp_path, "--uploads", "24MiB", "--queue", "48MiB", command="collect") as collector, ExitStack() as open_:
        flood, other = key(tmp_path, "flood"), key(tmp_path)
        before = resident(collector.children()["door"])
        events = [{"event_type": "A", "user_id": "ada-1", "insert_id": f"i{n}", "event_properties": {"x": "x" * 20_000}}
                  for n in range(400)]  # fmt: skip
        body = json.dumps({"api_key": flood, "events": events}).encode()
        senders = [open_.enter_context(Sender(collector)) for _ in range(20)]
        for sender in senders:
            sender.head("/batch", flood, len(body))
            sender.say(body[:-10])  # 8 MB each, 160 MB in all
        assert collector.post("/v1/track", track("small"), other).status_code == 200
        large = {"batch": [track(f"large{n}", properties={"x": "x" * 20_000}) for n in range(20)]}
        assert collector.post("/v1/batch", large, other).status_code == 200
        for sender in senders:
            sender.say(body[-10:])
        answers = [sender.answer() for sender in senders]
        refused = [text for status, text in answers if status == 503]
        assert {status for status, _ in answers} == {200, 503}
        assert all("retry-after: 1" in text for text in refused)
        assert len(refused) >= 17
        assert resident(collector.children()["door"]) - before < 150e6
        with Sender(collector) as again:  # the budget is free again
            again.head("/batch", flood, len(body))
            again.say(body)
            assert again.answer()[0] == 200


def test_a_flood_by_one_key_costs_no_other_key_an_event(collector: Running, data: Path) -> None:
    flood, other = key(data, "flood"), key(data)
    stop = threading.Event()
    answered: list[int] = []
    body = {"batch": [track(None, properties={"x": "x" * 20_000}) for _ in range(20)]}

    def send_much() -> None:
        with httpx.Client(auth=(flood, ""), timeout=PATIENCE, trust_env=False) as client:
            while not stop.is_set():
                answered.append(client.post(f"{collector.url}/v1/batch", json=body).status_code)

    threads = [threading.Thread(target=send_much) for _ in range(6)]
    for thread in threads:
        thread.start()
    try:
        with httpx.Client(auth=(other, ""), timeout=PATIENCE, trust_env=False) as client:
            quiet: list[int] = []
            while len(quiet) < 100 or len(answered) <= 20:
                quiet.append(client.post(f"{collector.url}/v1/track", json=track(None)).status_code)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(quiet) == {200}
    assert set(answered) <= {200, 503}


def test_a_collector_that_is_asked_to_stop_under_load_stores_all_that_it_acknowledged(tmp_path: Path) -> None:
    write = key(tmp_path)
    acknowledged = [0] * 4

    def send(at: int, url: str) -> None:
        with httpx.Client(auth=(write, ""), timeout=PATIENCE, trust_env=False) as client:
            while True:
                try:
                    if client.post(f"{url}/v1/batch", json={"batch": [track(None)] * 3}).status_code == 200:
                        acknowledged[at] += 3
                except httpx.TransportError:
                    return

    with up(tmp_path, "--segment-seconds", "3600", command="collect") as running:
        threads = [threading.Thread(target=send, args=(at, running.url)) for at in range(4)]
        for thread in threads:
            thread.start()
        eventually(lambda: min(acknowledged) > 6, "all of them send")
        assert running.stop() == 0
        for thread in threads:
            thread.join()
    assert list((tmp_path / "log").rglob("*.segment")) == []
    stored = counts(Settings(data=tmp_path).folder.index, "default")["accepted"]
    assert sum(acknowledged) <= stored <= sum(acknowledged) + 3 * 4  # an answer may be lost on its way, an event never


def test_a_second_collector_on_one_folder_refuses_with_the_reason(collector: Running, data: Path) -> None:
    refused = jcurve("collect", "--port", "0", data=data, expect=2)
    assert refused.stdout == ""
    assert f"is served by process {collector.process.pid} already; stop it, or choose another --data DIR" in refused.stderr
