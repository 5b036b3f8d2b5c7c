"""Amplitude's Export API: a zip of gzipped JSON lines, or those lines; one event each.

https://amplitude.com/docs/apis/analytics/export. Times are UTC without saying so. ``$insert_id`` is the SDK's own id,
``uuid`` Amplitude's. Identity: an event with ``user_id`` and ``device_id`` gives the device to the user; whom Amplitude took
the sender for is its ``amplitude_id``, kept in the context.

Merged ids are an export of their own (https://amplitude.com/docs/data/destination-catalog/amazon-s3), JSON lines
``{"scope", "merge_time", "merge_server_time", "amplitude_id", "merged_amplitude_id"}``, in some destinations with
``merge_event_time``: the events of ``amplitude_id`` belong to ``merged_amplitude_id`` from then on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ingest.load.exported import context, groups, mapping, without_nothing
from ingest.times import micros

MERGED: Final = "merged_amplitude_id"  # the field that only merged ids have


@dataclass(frozen=True)
class Merge:
    """``time`` in microseconds; None where the row lacks a field."""

    gone: str | None
    heir: str | None
    time: int | None


def merge(row: Mapping[str, object]) -> Merge:
    given = row.get("merge_time") or row.get("merge_event_time") or row.get("merge_server_time")
    time = micros(given) if isinstance(given, str | int | float) else None
    return Merge(_name(row.get("amplitude_id")), _name(row.get(MERGED)), time)


def _name(value: object) -> str | None:
    return str(value) if isinstance(value, str | int) and value != "" else None


def call(row: Mapping[str, object]) -> Mapping[str, object]:
    event, properties = row.get("event_type"), mapping(row.get("event_properties"))
    base = {
        "messageId": row.get("$insert_id") or row.get("uuid"),
        "timestamp": row.get("event_time") or row.get("client_event_time"),
        "sentAt": row.get("client_upload_time"),
        "userId": row.get("user_id"),
        "anonymousId": row.get("device_id"),
        "context": _context(row, properties),
    }
    return without_nothing(base | _told(event, row, properties))


def _told(event: object, row: Mapping[str, object], properties: dict[str, object]) -> dict[str, object]:
    if event == "$identify":
        return {"type": "identify", "traits": mapping(row.get("user_properties"))}
    if event == "$groupidentify":
        names = groups(row.get("groups"))
        traits = mapping(row.get("group_properties"))
        return {"type": "group", "groupId": next(iter(names.values()), None), "traits": traits}
    return {"type": "track", "event": event, "properties": properties}


def _context(row: Mapping[str, object], properties: dict[str, object]) -> dict[str, object]:
    session = row.get("session_id")
    library, _, version = str(row.get("library") or "").partition("/")
    return context(
        {
            "page.url": properties.get("[Amplitude] Page URL"),
            "page.path": properties.get("[Amplitude] Page Path"),
            "page.referrer": properties.get("referrer"),
            "library.name": library,
            "library.version": version,
            "os.name": row.get("os_name"),
            "device.type": row.get("device_type"),
            "app.version": row.get("version_name"),
            "location.country": row.get("country"),
            "locale": row.get("language"),
            "amplitudeId": _name(row.get("amplitude_id")),
            "sessionId": None if session == -1 else session,
            "groups": groups(row.get("groups")),
        }
    )
