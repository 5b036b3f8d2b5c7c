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
from dataclasses import dataclass
from typing import Final, NoReturn

from api import logs
from api.ending import at_once
from api.lean import without_unused
from api.settings import Settings, decoded

logger = logging.getLogger("api.roles")  # as a script its name is another

GRACE: Final = 60.0  # seconds from the supervisor's end until a role that does not come to an end is cut off


@dataclass(frozen=True)
class Given:
    """What the supervisor gives a role: ``stop`` is set when it is to end; ``has_serve``: the query API runs beside it."""

    settings: Settings
    listener: socket.socket | None
    has_serve: bool
    stop: threading.Event


def prepare(given: Given) -> None:
    """Before the others: the store at its newest schema, keys published, definitions present and without a fault."""
    from api import app

    app.prepare(given.settings)


def door(given: Given) -> None:
    """The HTTP collector and its log; everything else goes on to ``serve``."""
    from api import door as wired

    assert given.listener is not None
    wired.run(given.settings, given.listener, given.stop, has_serve=given.has_serve)


def flush(given: Given) -> None:
    from api import app

    app.flush(given.settings, given.stop)


def work(given: Given) -> None:
    from api import app

    app.work(given.settings, given.stop)


def serve(given: Given) -> None:
    """The query API and the dashboard: on the socket of the data folder behind a door, else on a port of its own."""
    from api import app
    from api.server import run
    from api.watching import Watched
    from funnels.memory import give_back
    from funnels.warm import warm

    give_back()
    threading.Thread(target=warm, daemon=True).start()  # two minutes after an upgrade, else seconds
    watched = Watched(app.serve_app(given.settings, given.stop), given.settings.folder)
    run(watched, listener=given.listener, path=given.settings.folder.socket, stop=given.stop)


ROLES: Final[dict[str, Callable[[Given], None]]] = {role.__name__: role for role in (prepare, door, flush, work, serve)}


def main() -> NoReturn:
    line = bytearray()
    while not line.endswith(b"\n"):
        line += os.read(0, 65536) or b"\n"
    given = json.loads(line)
    settings = decoded(given["settings"])
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(settings.folder.metrics)  # before api.meters is imported
    without_unused()
    logs.configure(settings, sys.argv[1], given.get("worker"))
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    listener = None if given["listener"] is None else socket.socket(fileno=given["listener"])
    logger.info("started")
    ROLES[sys.argv[1]](Given(settings, listener, given["serve"], stop))
    logger.info("ended")
    at_once(0)


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)


if __name__ == "__main__":
    main()
