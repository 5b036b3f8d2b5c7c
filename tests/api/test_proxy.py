"""The way from the door to ``serve``: bodies stream, connection headers stay behind, an absent ``serve`` is a 503."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from api.proxy import Proxy
from tests.patience import PATIENCE, eventually


class Behind:
    """A server that answers with what it got, slowly or in pieces where the path says so."""

    def __init__(self) -> None:
        self.left = threading.Event()
        self.running = threading.Event()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if scope["path"] == "/slow":
            self.running.set()
            await receive()
            self.left.set()
            return
        told = f"{scope['method']} {scope['raw_path'].decode()}?{scope['query_string'].decode()} {len(body)}".encode()
        names = b",".join(sorted(name for name, _ in scope["headers"]))
        headers = [(b"x-names", names), (b"keep-alive", b"timeout=5"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
        await send({"type": "http.response.start", "status": 207, "headers": headers})
        for piece in (told, b"\n", body[:10]):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


@contextmanager
def listening(path: Path, app: Behind) -> Iterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, uds=str(path), lifespan="off", log_config=None, ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started, "the server listens")
        yield
    finally:
        server.should_exit = True
        thread.join()


async def asked(proxy: Proxy, method: str, path: str, **more: Any) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(proxy), base_url="http://door") as client:
        try:
            return await client.request(method, path, **more)
        finally:
            await proxy.close()


def test_a_request_arrives_as_it_was_and_the_answer_comes_back_as_it_is(tmp_path: Path) -> None:
    with listening(tmp_path / "s", Behind()):
        headers = {"Authorization": "Bearer a", "Proxy-Authorization": "b", "TE": "c"}
        question = asked(Proxy(tmp_path / "s"), "POST", "/a%2Fb?c=%20d&e", content=b"x" * 3_000_000, headers=headers)
        answer = asyncio.run(question)
    assert answer.status_code == 207
    assert answer.text == "POST /a%2Fb?c=%20d&e 3000000\nxxxxxxxxxx"
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert "keep-alive" not in answer.headers
    names = answer.headers["x-names"].split(",")
    assert "authorization" in names and "x-forwarded-for" in names
    assert not {"te", "proxy-authorization", "connection", "transfer-encoding"} & set(names)


def test_a_server_that_is_not_there_is_a_503_that_says_when_to_ask_again(tmp_path: Path) -> None:
    answer = asyncio.run(asked(Proxy(tmp_path / "nobody"), "GET", "/api/status"))
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert (answer.headers["retry-after"], answer.json()["status"]) == ("2", 503)


def test_a_caller_who_leaves_ends_the_question_behind(tmp_path: Path) -> None:
    behind = Behind()

    async def leave() -> None:
        proxy = Proxy(tmp_path / "s")
        messages = iter([{"type": "http.request", "body": b""}])

        async def receive() -> dict[str, Any]:
            for message in messages:
                return message
            await asyncio.to_thread(behind.running.wait, PATIENCE)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            pytest.fail("there is nobody to answer")

        scope = {"type": "http", "method": "GET", "path": "/slow", "query_string": b"", "headers": [], "scheme": "http"}
        await proxy(scope, receive, send)
        await proxy.close()

    with listening(tmp_path / "s", behind):
        asyncio.run(leave())
        assert behind.left.wait(PATIENCE)
