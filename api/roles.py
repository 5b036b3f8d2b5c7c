"""The children of ``up``: ``python -m api.roles ROLE`` runs one role, with its settings as a line of JSON on its input.

The input stays open as long as the supervisor lives: its end, like SIGTERM, asks the role to finish what it has begun and to
end. Each role imports what it needs and nothing more, so that the collector's process stays small.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

from api.settings import Settings, decoded

_GRACE: Final = 60.0  # seconds from the supervisor's end until a role that does not come to an end is cut off

Role = Callable[[Settings, socket.socket | None, threading.Event], None]


def prepare(settings: Settings, listener: socket.socket | None, stop: threading.Event) -> None:
    """Before the others: the store at its newest schema, keys published, definitions present and without a fault."""
    from api import app

    app.prepare(settings)


def door(settings: Settings, listener: socket.socket | None, stop: threading.Event) -> None:
    """The HTTP collector and its log; everything else goes on to ``serve``."""
    from api import door as wired

    assert listener is not None
    wired.run(settings, listener)


def flush(settings: Settings, listener: socket.socket | None, stop: threading.Event) -> None:
    from api import app

    app.flush(settings, stop)


def work(settings: Settings, listener: socket.socket | None, stop: threading.Event) -> None:
    from api import app

    app.work(settings, stop)


def serve(settings: Settings, listener: socket.socket | None, stop: threading.Event) -> None:
    """The query API and the dashboard: on the socket of the data folder behind a door, else on a port of its own."""
    from api import app
    from api.server import run

    run(app.serve_app(settings), listener=listener, path=settings.folder.socket)


ROLES: Final[dict[str, Role]] = {role.__name__: role for role in (prepare, door, flush, work, serve)}


def main() -> None:
    line = bytearray()
    while not line.endswith(b"\n"):
        line += os.read(0, 65536) or b"\n"
    given = json.loads(line)
    settings = decoded(given["settings"])
    logging.basicConfig(level=settings.log_level.upper(), stream=sys.stderr, format=f"jcurve {sys.argv[1]}: %(message)s")
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    listener = None if given["listener"] is None else socket.socket(fileno=given["listener"])
    ROLES[sys.argv[1]](settings, listener, stop)


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    os._exit(1)


if __name__ == "__main__":
    main()
