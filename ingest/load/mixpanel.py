"""Mixpanel's raw export: JSON lines ``{"event": ..., "properties": {"distinct_id", "time", "$insert_id", ...}}``.

https://docs.mixpanel.com/reference/raw-event-export. ``time`` is in seconds; of projects made before 2023 in the project's
own zone, not UTC (https://mixpanel.com/help/reference/exporting-raw-data), so it can be told. Identity: ``$user_id`` and
``$device_id`` on one event link the two (their simplified way); ``$identify`` names ``$identified_id`` and ``$anon_id``,
``$create_alias`` an ``alias``, ``$merge`` two ``$distinct_ids`` (the original way). ``$device:x`` is the anonymous id ``x``.
An export writes the id that a person has today as ``distinct_id``; ``$distinct_id_before_identity`` is the one that came.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from ingest.load.exported import context, mapping, without_nothing

_DEVICE = "$device:"
_SENT = "$distinct_id_before_identity"


def call(row: Mapping[str, object], zone: str) -> Mapping[str, object]:
    event, properties = row.get("event"), mapping(row.get("properties"))
    sender = properties.get(_SENT) or properties.get("distinct_id")
    base = {
        "messageId": properties.get("$insert_id"),
        "timestamp": _utc(properties.get("time"), zone),
        "context": _context(properties),
        **_ids(sender, properties.get("$user_id"), properties.get("$device_id")),
    }
    return without_nothing(base | _told(event, properties))


def _told(event: object, properties: dict[str, object]) -> dict[str, object]:
    if event == "$identify":
        user = properties.get("$identified_id") or properties.get("$user_id") or properties.get("distinct_id")
        anonymous = properties.get("$anon_id") or properties.get("$anon_distinct_id") or properties.get("$device_id")
        return {"type": "identify", "userId": user, "anonymousId": _bare(anonymous), "traits": {}}
    if event == "$create_alias":
        return _joined(properties.get(_SENT) or properties.get("distinct_id"), properties.get("alias"), properties)
    if event == "$merge":
        pair = properties.get("$distinct_ids") or properties.get("distinct_ids")
        first, second = pair if isinstance(pair, list) and len(pair) == 2 else (None, None)
        return _joined(first, second, properties)
    if event == "$mp_web_page_view":
        return {"type": "page", "properties": properties}
    return {"type": "track", "event": event, "properties": properties}


def _joined(first: object, second: object, properties: dict[str, object]) -> dict[str, object]:
    """Two ids of one person: a device and a user are an identify, two users an alias."""
    devices = [each for each in (first, second) if _is_device(each)]
    users = [each for each in (first, second) if not _is_device(each)]
    if devices and users:
        return {"type": "identify", "userId": users[0], "anonymousId": _bare(devices[0]), "traits": {}}
    return {"type": "alias", "userId": first, "previousId": second, "anonymousId": None, "properties": properties}


def _ids(distinct: object, user: object, device: object) -> dict[str, object]:
    if user is None and device is None:
        return {"anonymousId": _bare(distinct)} if _is_device(distinct) else {"userId": distinct}
    if user is None and not _is_device(distinct) and distinct != device:
        user = distinct
    return {"userId": user, "anonymousId": _bare(device)}


def _is_device(name: object) -> bool:
    return isinstance(name, str) and name.startswith(_DEVICE)


def _bare(name: object) -> object:
    return name.removeprefix(_DEVICE) if isinstance(name, str) else name


def _utc(time: object, zone: str) -> object:
    """Seconds as if the zone's clock were UTC -> seconds since the epoch; milliseconds likewise."""
    if zone == "UTC" or not isinstance(time, int | float):
        return time
    scale = 1000 if abs(time) >= 1e11 else 1
    try:
        local = datetime(1970, 1, 1) + timedelta(seconds=time / scale)
        return local.replace(tzinfo=_zone(zone)).timestamp() * scale
    except (OverflowError, ValueError):
        return None


@lru_cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _context(properties: dict[str, object]) -> dict[str, object]:
    return context(
        {
            "page.url": properties.get("$current_url") or properties.get("current_url"),
            "page.path": properties.get("current_url_path"),
            "page.referrer": None if properties.get("$referrer") == "$direct" else properties.get("$referrer"),
            **{f"campaign.{name}": properties.get(f"utm_{name}") for name in ("source", "medium", "term", "content")},
            "campaign.name": properties.get("utm_campaign"),
            "library.name": properties.get("mp_lib"),
            "library.version": properties.get("$lib_version"),
            "os.name": properties.get("$os"),
            "app.version": properties.get("$app_version_string"),
            "location.country": properties.get("mp_country_code"),
        }
    )
