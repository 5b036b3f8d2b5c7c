"""uvicorn as every role runs it: on a socket that was opened for it, or at a path; quiet; and with a graceful end."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import uvicorn
import uvloop

_GRACE: Final = 10  # seconds for requests that run when the server is asked to stop
_KEEP_ALIVE: Final = 75  # seconds; SDKs reuse a connection that idles between two batches


def run(app: Callable[..., Any], *, listener: socket.socket | None, path: Path) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests that run."""
    uvloop.run(serve(app, listener=listener, path=path))


async def serve(app: Callable[..., Any], *, listener: socket.socket | None, path: Path | None) -> None:
    config = uvicorn.Config(
        app,
        uds=str(path) if listener is None else None,
        http="httptools",
        ws="none",
        lifespan="auto",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the collector reads them itself, where the settings say that a proxy is ours
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_GRACE,
    )
    await uvicorn.Server(config).serve(sockets=None if listener is None else [listener])
