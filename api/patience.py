"""uvicorn's connections with an end to patience: a request comes whole within some seconds, its head within some bytes.

Who is too slow is cut off without an answer: SDKs send again what a broken connection kept from arriving, while several drop
for good what was answered 408, as any 4xx. What had come of it is freed. A connection that never sends anything counts, too;
one that idles between two requests is uvicorn's affair. A request that arrives at once, as nearly all do, costs no timer.

Who would rather go on in HTTP/2 (``Upgrade: h2c``, as Java's own client does) is answered in HTTP/1.1:
the parser would take the request's body for that other protocol's.
"""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_H2C: Final = re.compile(rb"^([^\r\n]+\r\n(?:[^\r\n]+\r\n)*?)(upgrade: *h2c\r\n)", re.IGNORECASE)
_MOST_HEAD: Final = 256 << 10  # bytes; some SDKs put events into the query


class PatientProtocol(HttpToolsProtocol):
    def __init__(self, *arguments: Any, patience: float, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._patience = patience
        self._timer: asyncio.TimerHandle | None = None
        self._whole = False  # the newest request has come to its end
        self._head: int | None = 0  # bytes of the head so far; None once it is whole

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._timer = self.loop.call_later(self._patience, self._cut_off)

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if (self._whole or self._head is not None) and _asks_for_h2c(data):
            data = _H2C.sub(rb"\1x-\2", data, 1)
        super().data_received(data)
        if self._head is not None:
            self._head += len(data)
            if self._head > _MOST_HEAD:
                self._cut_off()
        if not self._whole and self._timer is None and not self.transport.is_closing():
            self._timer = self.loop.call_later(self._patience, self._cut_off)

    def on_message_begin(self) -> None:
        self._whole, self._head = False, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._whole = True
        self._rest()
        super().on_message_complete()

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cut_off(self) -> None:
        self._timer = None
        self.transport.close()


def _asks_for_h2c(data: bytes) -> bool:
    """Whether the head that begins there, or goes on, has the word. To look for it in bodies, too, took a third of a batch's
    time."""
    end = data.find(b"\r\n\r\n")
    return data.find(b"h2c", 0, len(data) if end < 0 else end) >= 0


def protocol(patience: float) -> Any:
    """What uvicorn makes for every connection."""
    return partial(PatientProtocol, patience=patience)
