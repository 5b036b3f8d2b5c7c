"""Wiring of the ``door``: the collector on its log, and the way on to ``serve`` for everything that is not an SDK's.

Apart from ``app`` because its process imports nothing heavy: neither Arrow nor DuckDB nor FastAPI.
"""

from __future__ import annotations

import socket
import threading

import uvloop

from api import meters
from api.proxy import Proxy
from api.server import serve
from api.settings import Settings
from api.watching import Watched
from ingest.http import Collector, CollectorSettings
from ingest.keys import KeyFile
from ingest.wal import Log, LogSettings


def run(settings: Settings, listener: socket.socket, stop: threading.Event, *, has_serve: bool) -> None:
    """Serve until SIGTERM or SIGINT; returns when all that was answered is in sealed segments."""
    uvloop.run(_serve(settings, listener, stop, Proxy(settings.folder.socket) if has_serve else None))


async def _serve(settings: Settings, listener: socket.socket, stop: threading.Event, proxy: Proxy | None) -> None:
    log = Log.open(settings.folder.log, log_settings(settings), timed=meters.committed)
    try:
        keys = KeyFile(settings.folder.keys, shared=bool(settings.store_url))
        collector = Collector(log, keys, collector_settings(settings), proxy, meters.met)
        await serve(
            Watched(collector, settings.folder), listener=listener, path=None, stop=stop, patience=settings.request_seconds
        )
    finally:
        log.close()
        if proxy is not None:
            await proxy.close()


def log_settings(settings: Settings) -> LogSettings:
    return LogSettings(
        segment_bytes=settings.segment_size,
        segment_age=settings.segment_seconds,
        queue_bytes=settings.queue,
        reserve_bytes=settings.disk_reserve or None,
    )


def collector_settings(settings: Settings) -> CollectorSettings:
    return CollectorSettings(
        public_url=settings.public_url or None,
        prefix=settings.prefix,
        trust_proxy=settings.trust_proxy,
        country_header=settings.country_header,
        max_body_bytes=int(settings.max_body),  # a Size is shown with its unit, and senders are told "... bytes"
        max_event_bytes=int(settings.max_event),
        upload_bytes=settings.uploads,
    )
