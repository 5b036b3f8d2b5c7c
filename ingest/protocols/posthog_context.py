"""What of a PostHog event's properties is context, in Segment's words, from which columns come (see ``ingest.steps``)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from ingest.protocols.envelope import NOTHING
from ingest.scalar import Scalar, text

Flag = bool | Scalar


class Where(msgspec.Struct, gc=False):
    """The properties that say from where an event came, in the order of posthog-js, which is read the fastest so."""

    os: Scalar = msgspec.field(default=None, name="$os")
    device_type: Scalar = msgspec.field(default=None, name="$device_type")
    timezone: Scalar = msgspec.field(default=None, name="$timezone")
    current_url: Scalar = msgspec.field(default=None, name="$current_url")
    pathname: Scalar = msgspec.field(default=None, name="$pathname")
    user_agent: Scalar = msgspec.field(default=None, name="$raw_user_agent")
    language: Scalar = msgspec.field(default=None, name="$browser_language")
    lib: Scalar = msgspec.field(default=None, name="$lib")
    lib_version: Scalar = msgspec.field(default=None, name="$lib_version")
    device_id: Scalar = msgspec.field(default=None, name="$device_id")
    utm_source: Scalar = None
    utm_medium: Scalar = None
    utm_campaign: Scalar = None
    utm_content: Scalar = None
    utm_term: Scalar = None
    referrer: Scalar = msgspec.field(default=None, name="$referrer")
    title: Scalar = None
    session_id: Scalar = msgspec.field(default=None, name="$session_id")
    dollar_title: Scalar = msgspec.field(default=None, name="$title")
    old_user_agent: Scalar = msgspec.field(default=None, name="$user_agent")
    os_name: Scalar = msgspec.field(default=None, name="$os_name")
    os_version: Scalar = msgspec.field(default=None, name="$os_version")
    device_model: Scalar = msgspec.field(default=None, name="$device_model")
    device_maker: Scalar = msgspec.field(default=None, name="$device_manufacturer")
    locale: Scalar = msgspec.field(default=None, name="$locale")
    app_name: Scalar = msgspec.field(default=None, name="$app_name")
    app_version: Scalar = msgspec.field(default=None, name="$app_version")
    app_build: Scalar = msgspec.field(default=None, name="$app_build")
    country: Scalar = msgspec.field(default=None, name="$geoip_country_code")


class Seen(Where, gc=False):
    """The properties with a meaning."""

    distinct_id: msgspec.Raw = NOTHING
    anon_distinct_id: msgspec.Raw = msgspec.field(default=NOTHING, name="$anon_distinct_id")
    alias: msgspec.Raw = NOTHING
    user_id: Scalar = msgspec.field(default=None, name="$user_id")
    is_identified: Flag = msgspec.field(default=None, name="$is_identified")
    person_wanted: Flag = msgspec.field(default=None, name="$process_person_profile")
    cookieless: Flag = msgspec.field(default=None, name="$cookieless_mode")
    ignore_sent_at: Flag = msgspec.field(default=None, name="$ignore_sent_at")
    insert_id: Scalar = msgspec.field(default=None, name="$insert_id")
    set: msgspec.Raw = msgspec.field(default=NOTHING, name="$set")
    set_once: msgspec.Raw = msgspec.field(default=NOTHING, name="$set_once")
    unset: msgspec.Raw = msgspec.field(default=NOTHING, name="$unset")
    group_type: Scalar = msgspec.field(default=None, name="$group_type")
    group_key: msgspec.Raw = msgspec.field(default=NOTHING, name="$group_key")
    group_set: msgspec.Raw = msgspec.field(default=NOTHING, name="$group_set")
    groups: msgspec.Raw = msgspec.field(default=NOTHING, name="$groups")
    screen_name: Scalar = msgspec.field(default=None, name="$screen_name")


_WHERE: Final = Where.__struct_fields__  # the first of ``Seen``'s


def context_of(seen: Seen) -> bytes:
    groups = b"" if seen.groups is NOTHING else bytes(seen.groups)
    return _context(msgspec.structs.astuple(seen)[: len(_WHERE)], groups if groups.startswith(b"{") else b"")


def with_sent(context: bytes, properties: bytes) -> bytes:
    """Of a call that keeps traits in the place of the properties."""
    return _with(context, b'"properties":' + properties)


def _with(context: bytes, field: bytes) -> bytes:
    return b"{" + field + b"}" if context == b"{}" else context[:-1] + b"," + field + b"}"


@lru_cache(maxsize=8_192)  # a visitor's page, or a server, says the same of itself in each of its events
def _context(where: tuple[Scalar, ...], groups: bytes) -> bytes:
    said = {name: text(value) for name, value in zip(_WHERE, where, strict=True)}
    device = said["device_type"]
    title = said["title"] or said["dollar_title"]
    context: dict[str, object] = {
        "library": _some(name=said["lib"], version=said["lib_version"]),
        "page": _some(url=said["current_url"], path=said["pathname"], referrer=said["referrer"], title=title),
        "campaign": _some(
            source=said["utm_source"],  # none: the URL is looked at
            medium=said["utm_medium"],
            name=said["utm_campaign"],
            term=said["utm_term"],
            content=said["utm_content"],
        ),
        "userAgent": said["user_agent"] or said["old_user_agent"],
        "os": _some(name=said["os_name"] or said["os"], version=said["os_version"]),
        "device": _some(
            id=said["device_id"],
            type=device and device.lower(),
            model=said["device_model"],
            manufacturer=said["device_maker"],
        ),
        "locale": said["locale"] or said["language"],
        "timezone": said["timezone"],
        "app": _some(name=said["app_name"], version=said["app_version"], build=said["app_build"]),
        "location": _some(country=said["country"]),
        "sessionId": said["session_id"],
    }
    encoded = msgspec.json.encode({name: value for name, value in context.items() if value is not None})
    return _with(encoded, b'"groups":' + groups) if groups else encoded


def _some(**fields: str | None) -> dict[str, str] | None:
    return {name: value for name, value in fields.items() if value is not None} or None
