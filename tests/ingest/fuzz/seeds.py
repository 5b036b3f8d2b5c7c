"""One valid request for each way in which an SDK sends events: what the fuzz starts from."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

KEY = "jw_web"


@dataclass(frozen=True)
class Seed:
    """``events`` are put into ``envelope``; ``method`` GET: into the query, by ``asked``."""

    name: str
    path: str
    event: dict[str, Any]
    envelope: Callable[[list[Any]], Any]
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""
    single: bool = False  # its body is one event

    def events(self, count: int) -> list[Any]:
        """So many copies, each with an id of its own."""
        made = [copy.deepcopy(self.event) for _ in range(1 if self.single else count)]
        for number, event in enumerate(made):
            _named(event, f"id-{number}")
        return made


def _named(event: dict[str, Any], name: str) -> None:
    for field_name in ("messageId", "uuid", "insert_id", "eid"):
        if field_name in event:
            event[field_name] = name
    if "$insert_id" in event.get("properties", {}):
        event["properties"]["$insert_id"] = name


CONTEXT = {
    "library": {"name": "analytics.js", "version": "1.0"},
    "page": {"url": "https://example.com/a?utm_source=x", "path": "/a", "referrer": "https://example.com"},
    "campaign": {"source": "news", "name": "spring"},
    "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120 Safari/537.36",
    "os": {"name": "iOS", "version": "17"},
    "device": {"type": "ios", "model": "iPhone"},
    "app": {"name": "Shop", "version": "3"},
    "location": {"country": "DE"},
    "locale": "de-DE",
    "groupId": "acme",
    "groups": {"company": "acme"},
    "sessionId": 1795305102037,
    "traits": {"email": "zoë@example.com"},
}
SEGMENT = {
    "type": "track", "messageId": "id", "event": "Order Completed", "name": "Docs", "category": "help",
    "userId": "u1", "anonymousId": "a1", "previousId": "u0", "groupId": "acme", "context": CONTEXT,
    "timestamp": "2026-09-21T14:00:00.000Z", "originalTimestamp": "2026-09-21T14:00:00Z", "sentAt": "2026-09-21T14:00:01Z",
    "properties": {"url": "https://example.com/b", "revenue": 59.97, "$groups": {"company": "acme"}, "deep": {"a": [1,
    [2]]}},
    "traits": {"name": "Zoë 🦔", "plan": None},
}  # fmt: skip
RUDDER = {**SEGMENT, "channel": "server", "mergeProperties": [{"type": "email", "value": "a@b"}, {"type": "anonymousId"}]}
POSTHOG = {
    "event": "order completed", "uuid": "id", "distinct_id": "u1", "timestamp": "2026-09-21T14:00:00Z", "offset": 12,
    "$set": {"plan": "pro"}, "$set_once": {"first": "x"}, "$unset": ["gone"], "session_id": "s", "window_id": "w",
    "options": {"process_person_profile": True, "cookieless_mode": False},
    "properties": {
        "$device_id": "d1", "$user_id": "u1", "$is_identified": True, "$anon_distinct_id": "d1", "alias": "u0",
        "$current_url": "https://example.com/?utm_source=x", "$groups": {"company": "acme"}, "$group_type": "company",
        "$group_key": "acme", "$group_set": {"name": "Acme"}, "$os": "Linux", "$lib": "web", "$lib_version": "1",
        "$set": {"a": 1}, "$set_once": {"b": 2}, "$screen_name": "Home", "$raw_user_agent": "x", "$session_id": 1,
    },
}  # fmt: skip
AMPLITUDE = {
    "event_type": "Order Completed", "insert_id": "id", "user_id": "user-1", "device_id": "dev-1", "time": 1790000000123,
    "session_id": 1790000000000, "groups": {"company": ["acme", "b"]}, "event_properties": {"revenue": 1.5, "n": None},
    "user_properties": {"$set": {"a": 1}, "$add": {"n": 1}, "$unset": {"b": "-"}}, "group_properties": {"$set": {"n": "A"}},
    "app_version": "3", "platform": "iOS", "os_name": "iOS", "country": "DE", "language": "de", "ip": "$remote",
    "library": "amplitude-ts/2.47.1", "user_agent": "x", "event_id": 3, "price": 1, "quantity": 2, "plan": {"branch": "x"},
}  # fmt: skip
MIXPANEL = {
    "event": "Order Completed",
    "properties": {
        "token": KEY, "distinct_id": "u1", "$device_id": "d1", "$user_id": "u1", "$insert_id": "id", "time": 1790000000,
        "$current_url": "https://example.com/a?b=1", "utm_source": "x", "mp_lib": "web", "$os": "Linux",
        "$browser": "Chrome",
        "alias": "u0", "$anon_id": "d1", "$identified_id": "u1", "$distinct_ids": ["u1", "$device:d1"], "$ip": "192.0.2.1",
    },
}  # fmt: skip
UPDATE = {
    "$token": KEY, "$distinct_id": "u1", "$device_id": "d1", "$set": {"$email": "a@b"}, "$unset": ["x"], "$add": {"n": 1},
    "$time": 1790000000, "$ip": "0",
}  # fmt: skip
GROUP = {"$token": KEY, "$group_key": "company", "$group_id": "acme", "$set": {"name": "Acme"}}
_SELF = {"schema": "iglu:com.acme/order/jsonschema/1-0-0", "data": {"revenue": 1.5}}
_UNSTRUCT = {"schema": "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0", "data": _SELF}
_ENTITY = {"schema": "iglu:com.snowplowanalytics.snowplow/client_session/jsonschema/1-0-1",
           "data": {"userId": "d2", "sessionId": "s2"}}  # fmt: skip
_ENTITIES = {"schema": "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-0", "data": [_ENTITY]}
SNOWPLOW = {
    "e": "ue", "eid": "id", "aid": KEY, "tna": "ns", "p": "web", "tv": "js-4.8.0", "uid": "u1", "duid": "d1", "sid": "s1",
    "dtm": "1790000000123", "stm": "1790000000456", "ue_pr": json.dumps(_UNSTRUCT), "co": json.dumps(_ENTITIES),
    "ue_px": base64.urlsafe_b64encode(json.dumps(_UNSTRUCT).encode()).decode().rstrip("="),
    "cx": base64.urlsafe_b64encode(json.dumps(_ENTITIES).encode()).decode(), "url": "https://example.com/?utm_source=x",
    "page": "Docs", "refr": "https://example.org", "lang": "de", "tz": "Europe/Berlin", "ua": "x", "nuid": "n1",
    "se_ca": "shop", "se_ac": "add", "se_va": "2.5", "tr_id": "o1", "tr_tt": "9.9", "ti_qu": "2", "pp_mix": "0",
    "pp_may": "x",
}  # fmt: skip
PIXEL = "writeKey=jw_web&userId=u1&anonymousId=a1&event=Opened&properties.plan=pro&context[page][url]=https://example.com/"
_SENT = "2026-09-21T14:00:01.000Z"

SEEDS: tuple[Seed, ...] = (
    Seed("segment batch", "/v1/batch", SEGMENT,
         lambda events: {"writeKey": KEY, "batch": events, "sentAt": _SENT, "context": {"ip": "1", "page": {"url": "x"}}}),
    Seed("segment single", "/v1/track", SEGMENT, lambda events: events[0], single=True),
    Seed("segment alias", "/v1/a", SEGMENT, lambda events: events[0], single=True),
    Seed("segment identify", "/v1/i", SEGMENT, lambda events: events[0], single=True),
    Seed("segment page", "/v1/page/", SEGMENT, lambda events: events[0], single=True),
    Seed("rudder batch", "/v1/batch", RUDDER, lambda events: {"batch": events, "sentAt": _SENT}),
    Seed("rudder merge", "/v1/merge", RUDDER, lambda events: events[0], single=True),
    Seed("rudder beacon", "/beacon/v1/batch", RUDDER, lambda events: {"batch": events}, query="writeKey=jw_web"),
    Seed("rudder pixel", "/pixel/v1/track", {}, lambda events: events[0], "GET", query=PIXEL, single=True),
    Seed("posthog batch", "/e/", POSTHOG, lambda events: {"api_key": KEY, "batch": events, "sent_at": _SENT},
         query="_=1790000000000&ver=1&ip=0"),
    Seed("posthog list", "/capture", POSTHOG, lambda events: [{**one, "api_key": KEY} for one in events]),
    Seed("posthog one", "/i/v0/e/", POSTHOG, lambda events: {**events[0], "api_key": KEY}, single=True),
    Seed("posthog engage", "/engage", POSTHOG, lambda events: {**events[0], "api_key": KEY}, single=True),
    Seed("posthog v1", "/i/v1/analytics/events", POSTHOG, lambda events: {"created_at": _SENT, "batch": events},
         headers={"authorization": f"Bearer {KEY}", "posthog-sdk-info": "posthog-python/7", "posthog-request-id": "r1",
                  "posthog-request-timestamp": _SENT}),
    Seed("amplitude httpapi", "/2/httpapi", AMPLITUDE,
         lambda events: {"api_key": KEY, "events": events, "client_upload_time": _SENT}),
    Seed("amplitude batch", "/batch", AMPLITUDE, lambda events: {"api_key": KEY, "events": events}),
    Seed("mixpanel track", "/track", MIXPANEL, lambda events: events, query="ip=1&verbose=1&_=1790000000000"),
    Seed("mixpanel import", "/import", MIXPANEL, lambda events: events, query="strict=1"),
    Seed("mixpanel engage", "/engage/", UPDATE, lambda events: events),
    Seed("mixpanel groups", "/groups", GROUP, lambda events: events),
    Seed("snowplow tp2", "/com.snowplowanalytics.snowplow/tp2", SNOWPLOW,
         lambda events: {"schema": "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4", "data": events}),
    Seed("snowplow vendor", "/jw_web/com.acme/v1", SNOWPLOW, lambda events: {"data": events}, headers={"sp-anonymous": "*"}),
)  # fmt: skip
KINDS: dict[str, tuple[Any, ...]] = {  # which field names the kind of an event, and what it may say
    "type": ("track", "identify", "group", "page", "screen", "alias", "merge", "Track"),
    "event": ("$pageview", "$screen", "$identify", "$set", "$unset", "$groupidentify", "$create_alias",
              "$merge_dangerously", "$merge", "$mp_web_page_view"),
    "event_type": ("$identify", "$groupidentify", "Paid"),
    "e": ("pv", "pp", "se", "ue", "tr", "ti", "ad"),
}  # fmt: skip
NAMES: tuple[str, ...] = tuple(
    sorted(
        {name for seed in SEEDS for name in (*seed.event, *seed.event.get("properties", ()))} | {"batch", "events", "data"}
    )
)
