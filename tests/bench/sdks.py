"""The event of ``event`` as the browser SDK of each family sends it: the same facts, in that SDK's own fields.

What each says besides, such as posthog-js' sixty properties or Snowplow's entities, is what these SDKs were seen to send, so
their bodies are larger than Segment's; bytes per event are told beside the figures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from tests.bench import event as plain

KEY: Final = "jw_bench"
_SENT: Final = 1_771_581_600_000  # milliseconds: 2026-02-20 10:00
_URL: Final = "https://app.tasklark.example/board"
_AGENT: Final = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36"
_NO_CAMPAIGN: Final = (
    "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "li_fat_id", "gad_source", "mc_cid", "gclid",
    "gclsrc", "dclid", "gbraid", "wbraid", "fbclid", "msclkid", "twclid", "igshid", "ttclid", "rdt_cid", "epik", "qclid",
    "sccid", "oppref", "bfcid", "irclid", "_kx",
)  # fmt: skip

Event = dict[str, object]


@dataclass(frozen=True)
class Sdk:
    """How a family's browser SDK sends: ``body`` makes a batch of events from the ``first`` on."""

    name: str
    path: str
    body: Callable[[int, int], bytes]
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class _Facts:
    """What one event says, whoever sends it."""

    id: str
    name: str
    time: str
    milliseconds: int
    user: str
    device: str
    account: str
    properties: Event


def _facts(number: int) -> _Facts:
    told = plain.event(number)
    milliseconds = _SENT - 86_400_000 + number % 86_400_000
    ids = str(told["messageId"]), str(told["event"]), str(told["timestamp"])
    user, device, account = f"user-{number % 1000}", str(told["anonymousId"]), f"acct_{number % 200:05d}"
    return _Facts(*ids, milliseconds, user, device, account, dict(told["properties"]))  # type: ignore[call-overload]


def _segment(first: int, size: int) -> bytes:
    return plain.batch(first, size)


def _rudder(first: int, size: int) -> bytes:
    """Segment's fields, and the channel by which the door tells the two apart."""
    events = [{**plain.event(first + n), "channel": "web", "originalTimestamp": plain.SENT_AT} for n in range(size)]
    return msgspec.json.encode({"batch": events, "sentAt": plain.SENT_AT})


def _posthog_properties(facts: _Facts) -> Event:
    return {
        "$os": "Windows", "$os_version": "10.0", "$browser": "Chrome", "$device_type": "Desktop", "$timezone": "UTC",
        "$timezone_offset": 0, "$current_url": _URL, "$host": "app.tasklark.example", "$pathname": "/board",
        "$raw_user_agent": _AGENT, "$browser_version": 126, "$browser_language": "en-US", "$browser_language_prefix": "en",
        "$screen_height": 1080, "$screen_width": 1920, "$viewport_height": 900, "$viewport_width": 1800, "$lib": "web",
        "$lib_version": "1.449.2", "$insert_id": facts.id[-16:], "$time": facts.milliseconds / 1000,
        "$sdk_dist_channel": "npm", "$initialization_time": "2026-02-20T09:59:13.046Z",
        "$configured_session_timeout_ms": 1_800_000, "distinct_id": facts.user, "$device_id": facts.device,
        "$user_id": facts.user, "$groups": {"company": facts.account}, **dict.fromkeys(_NO_CAMPAIGN),
        "$referrer": "$direct", "$referring_domain": "$direct", **facts.properties, "token": KEY,
        "$config_defaults": "2025-05-24", "$session_id": f"s-{facts.device}", "$window_id": f"w-{facts.device}",
        "$session_entry_referrer": "$direct", "$session_entry_referring_domain": "$direct", "$session_entry_url": _URL,
        "$session_entry_host": "app.tasklark.example", "$session_entry_pathname": "/board", "$recording_status": "disabled",
        "$sdk_debug_retry_queue_size": 0, "$pageview_id": f"p-{facts.device}", "$is_identified": True,
        "$process_person_profile": True,
    }  # fmt: skip


def _posthog(first: int, size: int) -> bytes:
    batch = [
        {"uuid": f.id, "event": f.name, "properties": _posthog_properties(f), "timestamp": f.time}
        for f in map(_facts, range(first, first + size))
    ]
    return msgspec.json.encode({"api_key": KEY, "batch": batch, "sent_at": plain.SENT_AT})


def _posthog_v1(first: int, size: int) -> bytes:
    """As posthog-node sends: little but what it was given."""
    batch = [
        {
            "uuid": f.id, "event": f.name, "distinct_id": f.user, "timestamp": f.time, "session_id": f"s-{f.device}",
            "options": {"process_person_profile": True},
            "properties": {**f.properties, "$groups": {"company": f.account}, "$current_url": _URL, "$is_server": True,
                           "$raw_user_agent": _AGENT, "$geoip_disable": True},
        }
        for f in map(_facts, range(first, first + size))
    ]  # fmt: skip
    return msgspec.json.encode({"created_at": plain.SENT_AT, "batch": batch})


def _amplitude(first: int, size: int) -> bytes:
    events = [
        {
            "user_id": f.user, "device_id": f.device, "session_id": _SENT, "time": f.milliseconds, "platform": "Web",
            "language": "en-US", "ip": "$remote", "insert_id": f.id, "event_type": f.name, "groups": {"company": f.account},
            "event_properties": {**f.properties, "[Amplitude] Page Domain": "app.tasklark.example",
                                 "[Amplitude] Page Location": _URL, "[Amplitude] Page Path": "/board",
                                 "[Amplitude] Page Title": "Board", "[Amplitude] Page URL": _URL},
            "event_id": number, "library": "amplitude-ts/2.47.1", "user_agent": _AGENT,
        }
        for number, f in enumerate(map(_facts, range(first, first + size)))
    ]  # fmt: skip
    return msgspec.json.encode({"api_key": KEY, "events": events, "options": {}, "client_upload_time": plain.SENT_AT})


def _mixpanel(first: int, size: int) -> bytes:
    return msgspec.json.encode(
        [
            {
                "event": f.name,
                "properties": {
                    "$os": "Windows", "$browser": "Chrome", "$current_url": _URL, "$browser_version": 126,
                    "$screen_height": 1080, "$screen_width": 1920, "mp_lib": "web", "$lib_version": "2.71.0",
                    "$insert_id": f.id, "time": f.milliseconds / 1000, "distinct_id": f.user, "$device_id": f.device,
                    "$user_id": f.user, "$initial_referrer": "$direct", "$initial_referring_domain": "$direct",
                    **f.properties, "company": f.account, "token": KEY, "mp_sent_by_lib_version": "2.71.0",
                },
            }
            for f in map(_facts, range(first, first + size))
        ]
    )  # fmt: skip


def _snowplow(first: int, size: int) -> bytes:
    """Self-describing events with the entities that its browser tracker adds."""
    return msgspec.json.encode(
        {
            "schema": "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4",
            "data": [_snowplow_event(f) for f in map(_facts, range(first, first + size))],
        }
    )


def _snowplow_event(facts: _Facts) -> Event:
    described = {"schema": f"iglu:example.tasklark/{facts.name}/jsonschema/1-0-0", "data": facts.properties}
    entities = [
        {"schema": "iglu:com.snowplowanalytics.snowplow/web_page/jsonschema/1-0-0", "data": {"id": facts.id[-24:]}},
        {"schema": "iglu:example.tasklark/account/jsonschema/1-0-0", "data": {"id": facts.account}},
    ]
    return {
        "e": "ue", "eid": facts.id, "tv": "js-4.6.0", "tna": "web", "aid": KEY, "p": "web", "cookie": "1", "cs": "UTF-8",
        "lang": "en-US", "res": "1920x1080", "cd": "24", "tz": "UTC", "dtm": str(facts.milliseconds), "vp": "1800x900",
        "ds": "1800x2000", "vid": "3", "sid": f"s-{facts.device}", "duid": facts.device, "uid": facts.user, "url": _URL,
        "ue_pr": _described("unstruct_event", described), "co": _described("contexts", entities), "stm": str(_SENT),
    }  # fmt: skip


def _described(name: str, data: object) -> str:
    schema = f"iglu:com.snowplowanalytics.snowplow/{name}/jsonschema/1-0-0"
    return msgspec.json.encode({"schema": schema, "data": data}).decode()


_BROWSER: Final = (("User-Agent", _AGENT),)

SDKS: Final = (
    Sdk("segment", "/v1/batch", _segment, _BROWSER),
    Sdk("rudder", "/v1/batch", _rudder, _BROWSER),
    Sdk("posthog", "/i/v0/e", _posthog, _BROWSER),
    Sdk("posthog v1", "/i/v1/analytics/events", _posthog_v1, (("PostHog-Sdk-Info", "posthog-node/5.39.1"),)),
    Sdk("amplitude", "/2/httpapi", _amplitude, _BROWSER),
    Sdk("mixpanel", "/track", _mixpanel, _BROWSER),
    Sdk("snowplow", "/com.snowplowanalytics.snowplow/tp2", _snowplow, _BROWSER),
)
