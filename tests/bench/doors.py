"""The three servers that are compared, each a process: ``python -m tests.bench.doors NAME FOLDER FD``, FD an open port.

All run on the same uvicorn settings, the collector's own (``api.server``).
- ``jcurve``    the collector: decodes, finds the key, stores, syncs, answers
- ``bare``      plain ASGI: reads the body and answers
- ``pydantic``  a FastAPI route with a pydantic body, as one would write it at first: parses, answers, stores nothing
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, Final

import uvloop

from api.server import serve

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

ANSWER: Final = b'{"success":true}'
HEADERS: Final = [(b"content-type", b"application/json"), (b"content-length", b"16")]


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    chunks = []
    more = True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    b"".join(chunks)
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})


async def run(app: Callable[..., Any], listener: socket.socket) -> None:
    await serve(app, listener=listener, path=None, stop=threading.Event())


async def jcurve(folder: Path, listener: socket.socket) -> None:
    from ingest.http import Collector, CollectorSettings
    from ingest.keys import KeyFile
    from ingest.wal import Log

    log = Log.open(folder / "log")
    try:
        await run(Collector(log, KeyFile(folder / "keys.json"), CollectorSettings()), listener)
    finally:
        log.close()


def _pydantic() -> Callable[..., Any]:
    from tests.bench.pydantic_door import app

    return app


async def main(name: str, folder: Path, descriptor: int) -> None:
    with socket.socket(fileno=descriptor) as listener:
        if name == "jcurve":
            await jcurve(folder, listener)
        else:
            await run(bare if name == "bare" else _pydantic(), listener)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
