"""``GET /metrics`` in Prometheus' format: what all processes of the data folder counted, and how the log stands now.

Answered by the door, or by ``serve`` where it stands alone, to whoever asks from this host or a private network and not
through a proxy: the names of sources are nobody else's business.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from api.folder import DataFolder
from ingest import log_folder
from ingest.answers import Answer, refusal
from ingest.record import first_received

if TYPE_CHECKING:
    from prometheus_client import Metric

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

PATH: Final = "/metrics"
_FORWARDED: Final = (b"x-forwarded-for", b"forwarded", b"x-real-ip")
_NOT_YOURS: Final = refusal(403, "Metrics are told to this host and its private network only, and not through a proxy.")


class Watched:
    """An ASGI application with ``/metrics`` in front of it."""

    def __init__(self, app: ASGIApp, folder: DataFolder) -> None:
        self._app = app
        self._folder = folder

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        answer = await asyncio.to_thread(exposed, self._folder) if near(scope) else _NOT_YOURS
        await answer.give(send, head=scope["method"] == "HEAD")


def near(scope: MutableMapping[str, Any]) -> bool:
    """Whether the request comes straight from this host or a private network."""
    if any(name in _FORWARDED for name, _ in scope["headers"]):
        return False
    client = scope.get("client")
    try:
        return client is None or ipaddress.ip_address(client[0]).is_private  # None: a socket of this host
    except ValueError:
        return False


def exposed(folder: DataFolder) -> Answer:
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder.metrics))  # type: ignore[no-untyped-call]
    registry.register(_LogState(folder))
    body = generate_latest(registry)
    length = str(len(body)).encode()
    return Answer(200, body, ((b"content-type", CONTENT_TYPE_LATEST.encode()), (b"content-length", length)))


class _LogState:
    """The logs as they lie on the disk."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        size = GaugeMetricFamily("jcurve_log_bytes", "Size of a log: what is not in the lake yet.", labels=["log"])
        age = GaugeMetricFamily(
            "jcurve_log_age_seconds",
            "Age of a log's oldest request, 0 if it is empty: how far the flush lags.",
            labels=["log"],
        )
        silent = GaugeMetricFamily("jcurve_log_silent_seconds", "Since a collector's last beat.", labels=["log"])
        for path in log_folder.folders(self._folder.log):
            oldest, total = _standing(path)
            now = time.time()
            size.add_metric([path.name], total)
            age.add_metric([path.name], 0 if oldest is None else max(0.0, now - oldest / 1e6))
            beat = log_folder.read_beat(path)
            if beat is not None and beat != log_folder.CLOSED:
                silent.add_metric([path.name], max(0.0, now - beat / 1e6))
        return iter((size, age, silent))


def _standing(log: Path) -> tuple[int | None, int]:
    """When its oldest request was received (microseconds), and its size in bytes."""
    oldest, total = None, 0
    for path in (*log_folder.sealed_segments(log), *log_folder.open_segments(log)):
        try:
            total += path.stat().st_size
            oldest = first_received(path) if oldest is None else oldest
        except FileNotFoundError:
            continue  # sealed or in the lake by now
    return oldest, total


def forget_dead(folder: DataFolder) -> None:
    """Remove what processes counted that are gone, at a start; those of another supervisor live on."""
    for path in folder.metrics.glob("*.db"):
        number = path.stem.rpartition("_")[2]
        try:
            os.kill(int(number), 0)
        except (ProcessLookupError, ValueError):
            path.unlink(missing_ok=True)
        except PermissionError:
            continue
