"""The port, opened before anything else starts: a listening socket for each worker.

Several processes that accept from one socket share unevenly: whichever wakes first takes what waits, and SDKs keep their
connections. So each worker has a socket of its own at the same port (``SO_REUSEPORT``), among which the kernel deals new
connections out. The supervisor keeps all of them open: what was dealt to a worker that crashed waits for the next one.
"""

from __future__ import annotations

import os
import socket
from typing import Final

_BACKLOG: Final = 2048  # connections that wait for a worker


class CannotStart(Exception):
    """What keeps the server from starting; the message says what to change."""


def listen(host: str, port: int, workers: int = 1) -> list[socket.socket]:
    """Open sockets at one port, one per worker; raises ``CannotStart`` before anything was started."""
    opened: list[socket.socket] = []
    try:
        for _ in range(workers):
            opened.append(_bound(host, opened[0].getsockname()[1] if opened else port, shares=bool(opened)))
            if workers > 1:  # on the first only once it has the port, or another server's port would be shared unnoticed
                opened[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        for listener in opened:
            listener.listen(_BACKLOG)
    except OSError as error:
        for listener in opened:
            listener.close()
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        found = f"cannot listen on {host}:{port}: {reason}"
        raise CannotStart(f"{found}; choose another with --port (0 takes a free one)") from None
    return opened


def _bound(host: str, port: int, *, shares: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if shares:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
    except BaseException:
        listener.close()
        raise
    return listener
