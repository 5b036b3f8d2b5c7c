"""uvicorn as every role runs it: on a socket that was opened for it, or at a path; quiet; and with a graceful end.

uvicorn waits for ever for a request's rest and takes heads of any length; ``api.patience`` does not.
"""

from __future__ import annotations

import gc
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import uvicorn
import uvloop

from api.patience import protocol

_GRACE: Final = 10  # seconds for requests that run when the server is asked to stop
_GARBAGE: Final = 20_000  # objects between two collections: requests that wait for their commit hold thousands, all alive
_PATIENCE: Final = 60.0  # seconds for a request to come whole
_KEEP_ALIVE: Final = 75  # seconds; SDKs reuse a connection that idles between two batches


class _Server(uvicorn.Server):
    """uvicorn hears signals only once it runs; one that came before set ``stop``."""

    def __init__(self, config: uvicorn.Config, stop: threading.Event) -> None:
        super().__init__(config)
        self._stop = stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._stop.is_set():
            self.should_exit = True


def run(app: Callable[..., Any], *, listener: socket.socket | None, path: Path, stop: threading.Event) -> None:
    """Serve until SIGTERM or SIGINT, or not at all if ``stop`` is set already; then finish the requests that run."""
    uvloop.run(serve(app, listener=listener, path=path, stop=stop))


async def serve(
    app: Callable[..., Any],
    *,
    listener: socket.socket | None,
    path: Path | None,
    stop: threading.Event,
    patience: float = _PATIENCE,
) -> None:
    config = uvicorn.Config(
        app,
        uds=str(path) if listener is None else None,
        http=protocol(patience),
        ws="none",
        lifespan="auto",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the collector reads them itself, where the settings say that a proxy is ours
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_GRACE,
    )
    gc.set_threshold(_GARBAGE, 10, 10)
    await _Server(config, stop).serve(sockets=None if listener is None else [listener])
