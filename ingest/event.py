"""The event: its columns, once, for the log's decoder, the lake and every reader.

One row of ``events`` is one call of an SDK (track, page, screen, identify, group, alias) that was accepted.
All times are UTC with microseconds. An event keeps the id it came with (``actor_id``); who is who is laid over it when it
is read, so that a merge of two people, or its undo, touches no event.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa

_TIME: Final = pa.timestamp("us", tz="UTC")

EVENTS: Final = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),  # the SDK's message id, else minted from the log position
        pa.field("kind", pa.string(), nullable=False),  # one of KINDS
        pa.field("event", pa.string(), nullable=False),  # a track's event, a page's or screen's name, else "$<kind>"
        pa.field("time", _TIME, nullable=False),  # when it happened, corrected for the sender's clock
        pa.field("original_time", _TIME),  # the sender's own timestamp
        pa.field("sent_at", _TIME),  # the sender's clock when it sent
        pa.field("received_at", _TIME, nullable=False),  # our clock when it came
        pa.field("anonymous_id", pa.string()),
        pa.field("user_id", pa.string()),
        pa.field("previous_id", pa.string()),  # alias: the id replaced; else anonymous_id, if this links it
        pa.field("actor_id", pa.int64(), nullable=False),  # actor_id("user", user_id), else of the anonymous id
        pa.field("account_id", pa.string()),  # group id of the call, else of its context
        pa.field("session_id", pa.string()),
        pa.field("source", pa.string(), nullable=False),  # the name of the source whose write key sent it
        pa.field("library", pa.string()),  # "analytics-node/3.1.0"
        pa.field("page_url", pa.string()),
        pa.field("page_path", pa.string()),
        pa.field("page_referrer", pa.string()),
        pa.field("utm_source", pa.string()),
        pa.field("utm_medium", pa.string()),
        pa.field("utm_campaign", pa.string()),
        pa.field("utm_term", pa.string()),
        pa.field("utm_content", pa.string()),
        pa.field("device", pa.string()),
        pa.field("os", pa.string()),
        pa.field("browser", pa.string()),
        pa.field("locale", pa.string()),
        pa.field("app_version", pa.string()),
        pa.field("country", pa.string()),
        pa.field("bot", pa.bool_(), nullable=False),  # the sender calls itself a crawler
        pa.field("properties", pa.string(), nullable=False),  # JSON object; an identify's or group's traits
        pa.field("context", pa.string(), nullable=False),  # JSON object
        pa.field("log", pa.string(), nullable=False),  # which collector's log it came through, and
        pa.field("log_offset", pa.int64(), nullable=False),  # where in it: (segment << 24) + ordinal in the segment
        pa.field("month", pa.string(), nullable=False),  # partition: month_of(time, received_at)
    ]
)

REJECTED: Final = pa.schema(
    [
        pa.field("received_at", _TIME, nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),  # the HTTP path it came by; behind "?": see ingest.asked
        pa.field("reason", pa.string(), nullable=False),  # an ingest.outcome.Outcome
        pa.field("detail", pa.string(), nullable=False),  # what was found and what to send instead
        pa.field("event_id", pa.string()),  # where one could be read
        pa.field("raw", pa.binary(), nullable=False),  # the rejected event's own bytes
        pa.field("log", pa.string(), nullable=False),
        pa.field("log_offset", pa.int64(), nullable=False),
        pa.field("month", pa.string(), nullable=False),  # partition: month of received_at
    ]
)

_USER: Final = ("user",)
_DEVICE: Final = ("anonymous",)
_EITHER: Final = ("user", "anonymous")
_ID_FIELDS: Final[Mapping[str, Sequence[str]]] = {
    "userId": _USER, "anonymousId": _DEVICE, "previousId": _EITHER,  # a call's; the others a table's or an export's
    "user_id": _USER, "anonymous_id": _DEVICE, "device_id": _DEVICE, "distinct_id": _EITHER,
    "uid": _USER, "duid": _DEVICE, "nuid": _DEVICE, "tnuid": _DEVICE, "$user_id": _USER, "$device_id": _DEVICE,
    "$distinct_id": _EITHER,
}  # fmt: skip
_PROPERTY_FIELDS: Final[Mapping[str, Sequence[str]]] = {
    "$user_id": _USER, "$identified_id": _USER, "$device_id": _DEVICE, "$anon_id": _DEVICE, "$anon_distinct_id": _DEVICE,
    "distinct_id": _EITHER,
}  # fmt: skip

FIRST_MONTH: Final = "2005-01"
AHEAD: Final = timedelta(hours=24)  # a sender further in the future than this does not know the time


def actor_ids(kind: str, identifiers: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """``actor_id`` of each, for whole columns."""
    prefix = hashlib.blake2b(f"{kind}:".encode(), digest_size=8)
    digests = bytearray()
    for identifier in identifiers:
        state = prefix.copy()
        state.update(identifier.encode("utf-8", "surrogatepass"))
        digests += state.digest()
    return np.frombuffer(bytes(digests), "<i8")


def month_of(time: datetime, received_at: datetime) -> str:
    """The partition of an event: the UTC month of its time as ``2026-01``.

    Clamped to FIRST_MONTH and the month after it came in, since a write key is public and must not be able to open
    endless partitions.
    """
    latest = received_at.astimezone(UTC) + timedelta(days=31)
    return min(max(time.astimezone(UTC).isoformat()[:7], FIRST_MONTH), latest.isoformat()[:7])


def named_ids(content: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """(kind, id) of every id that a rejected event names where ids stand: a call, or a row of a table or an export."""
    properties = content.get("properties")
    nested = properties if isinstance(properties, dict) else {}
    for part, fields in ((content, _ID_FIELDS), (nested, _PROPERTY_FIELDS)):
        for name, kinds in fields.items():
            if (value := part.get(name)) is not None:
                yield from ((kind, str(value)) for kind in kinds)
