"""Mixpanel's raw export: JSON lines ``{"event": ..., "properties": {"distinct_id", "time", "$insert_id", ...}}``.

https://docs.mixpanel.com/reference/raw-event-export. ``time`` is in seconds; of projects made before 2023 in the project's
own zone, not UTC (https://mixpanel.com/help/reference/exporting-raw-data), so it can be told. Who is who is read as of what
its SDKs send (``ingest.protocols.mixpanel_ids``), with ``$distinct_id_before_identity`` for the id that came.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from ingest.load.exported import context, mapping, without_nothing
from ingest.protocols.mixpanel_ids import JOINS, SENT, joined, who


def call(row: Mapping[str, object], zone: str) -> Mapping[str, object]:
    event, properties = row.get("event"), mapping(row.get("properties"))
    sender = properties.get(SENT) or properties.get("distinct_id")
    base = {
        "messageId": properties.get("$insert_id"),
        "timestamp": _utc(properties.get("time"), zone),
        "context": _context(properties),
        **who(sender, properties.get("$user_id"), properties.get("$device_id")),
    }
    return without_nothing(base | _told(event, properties))


def _told(event: object, properties: dict[str, object]) -> dict[str, object]:
    if event in JOINS:
        return joined(str(event), properties)
    if event == "$mp_web_page_view":
        return {"type": "page", "properties": properties}
    return {"type": "track", "event": event, "properties": properties}


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
