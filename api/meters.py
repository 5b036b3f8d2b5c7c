"""What the roles count, each in files of its own below ``run/metrics``, which ``watching`` adds up.

Names of events, ids and keys never become labels: sources, protocols, outcomes, projects and tables are few.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter as Counting
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge, Histogram

from ingest.meter import Met

if TYPE_CHECKING:
    from ingest.flush import Measured
    from ingest.lake import Lake

_COUNT_SECONDS: Final = 60.0
_NONE_SECONDS: Final = 2.0
_BY: Final = ("source", "protocol", "outcome")
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

REQUESTS: Final = Counter("jcurve_requests", "Requests with events, by what became of them.", _BY)
BYTES: Final = Counter("jcurve_request_bytes", "Bytes of their bodies, decompressed.", _BY)
SECONDS: Final = Histogram(
    "jcurve_request_seconds",
    "From a request's head to its answer, reading the body included.",
    ("protocol",),
    buckets=_BUCKETS,
)
COMMITS: Final = Histogram("jcurve_log_commit_seconds", "Writing and syncing one group of requests.", buckets=_BUCKETS)
EVENTS: Final = Counter("jcurve_events", "Events that left the log, by what became of them.", ("project", *_BY))
FILES: Final = Gauge(
    "jcurve_lake_files", "Files of a table's newest version.", ("project", "table"), multiprocess_mode="mostrecent"
)

logger = logging.getLogger(__name__)


def met(request: Met) -> None:
    """The door's meter."""
    requests, size, seconds = _meters(request.source, request.protocol, request.outcome)
    requests.inc()
    size.inc(request.size)
    seconds.observe(request.seconds)


@lru_cache(maxsize=4_096)
def _meters(source: str, protocol: str, outcome: str) -> tuple[Counter, Counter, Histogram]:
    by = source, protocol, outcome
    return REQUESTS.labels(*by), BYTES.labels(*by), SECONDS.labels(protocol)


def committed(seconds: float) -> None:
    """The log's."""
    COMMITS.observe(seconds)


def ended(project: str, measured: Measured) -> None:
    """The flush'."""
    outcomes: Counting[str] = Counting()
    for (source, protocol, outcome), number in measured.items():
        if number > 0:
            EVENTS.labels(project, source, protocol, outcome).inc(number)
            outcomes[outcome] += number
    logger.info("events left the log", extra={"project": project, **outcomes})


def count_files(lake: Lake, projects: Callable[[], Sequence[str]], stop: threading.Event) -> None:
    """Once a minute until ``stop``, sooner while there are none; in a thread of the role that tidies the tables."""
    while not stop.is_set():
        pause = _NONE_SECONDS
        try:
            for project in projects():
                for table in lake.tables(project):
                    FILES.labels(project, table).set(len(lake.files(project, table)))
                    pause = _COUNT_SECONDS
        except Exception:  # a lake that is away for a while: the builds tell of it
            logger.info("the lake's files cannot be counted now", exc_info=True)
        stop.wait(pause)
