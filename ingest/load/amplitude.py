"""Amplitude's Export API: a zip of gzipped JSON lines, or those lines; one event each.

https://amplitude.com/docs/apis/analytics/export. Times are UTC without saying so. ``$insert_id`` is the SDK's own id,
``uuid`` Amplitude's. Identity: an event with ``user_id`` and ``device_id`` gives the device to the user.
"""

from __future__ import annotations

from collections.abc import Mapping

from ingest.load.exported import context, groups, mapping, without_nothing


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
            "sessionId": None if session == -1 else session,
            "groups": groups(row.get("groups")),
        }
    )
