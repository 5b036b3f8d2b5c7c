"""What of a PostHog event's properties is context, in Segment's words, from which columns come (see ``ingest.steps``)."""

from __future__ import annotations

import msgspec

from ingest.protocols.envelope import NOTHING
from ingest.scalar import Scalar, text

Flag = bool | Scalar


class Seen(msgspec.Struct, gc=False):
    """The properties with a meaning; PostHog's own begin with ``$``."""

    distinct_id: msgspec.Raw = NOTHING
    anon_distinct_id: msgspec.Raw = msgspec.field(default=NOTHING, name="$anon_distinct_id")
    alias: msgspec.Raw = NOTHING
    device_id: Scalar = msgspec.field(default=None, name="$device_id")
    user_id: Scalar = msgspec.field(default=None, name="$user_id")
    is_identified: Flag = msgspec.field(default=None, name="$is_identified")
    person_wanted: Flag = msgspec.field(default=None, name="$process_person_profile")
    cookieless: Flag = msgspec.field(default=None, name="$cookieless_mode")
    ignore_sent_at: Flag = msgspec.field(default=None, name="$ignore_sent_at")
    insert_id: Scalar = msgspec.field(default=None, name="$insert_id")
    session_id: Scalar = msgspec.field(default=None, name="$session_id")
    set: msgspec.Raw = msgspec.field(default=NOTHING, name="$set")
    set_once: msgspec.Raw = msgspec.field(default=NOTHING, name="$set_once")
    unset: msgspec.Raw = msgspec.field(default=NOTHING, name="$unset")
    group_type: Scalar = msgspec.field(default=None, name="$group_type")
    group_key: msgspec.Raw = msgspec.field(default=NOTHING, name="$group_key")
    group_set: msgspec.Raw = msgspec.field(default=NOTHING, name="$group_set")
    groups: msgspec.Raw = msgspec.field(default=NOTHING, name="$groups")
    lib: Scalar = msgspec.field(default=None, name="$lib")
    lib_version: Scalar = msgspec.field(default=None, name="$lib_version")
    current_url: Scalar = msgspec.field(default=None, name="$current_url")
    pathname: Scalar = msgspec.field(default=None, name="$pathname")
    referrer: Scalar = msgspec.field(default=None, name="$referrer")
    title: Scalar = None
    dollar_title: Scalar = msgspec.field(default=None, name="$title")
    screen_name: Scalar = msgspec.field(default=None, name="$screen_name")
    user_agent: Scalar = msgspec.field(default=None, name="$raw_user_agent")
    old_user_agent: Scalar = msgspec.field(default=None, name="$user_agent")
    os: Scalar = msgspec.field(default=None, name="$os")
    os_name: Scalar = msgspec.field(default=None, name="$os_name")
    os_version: Scalar = msgspec.field(default=None, name="$os_version")
    device_type: Scalar = msgspec.field(default=None, name="$device_type")
    device_model: Scalar = msgspec.field(default=None, name="$device_model")
    device_maker: Scalar = msgspec.field(default=None, name="$device_manufacturer")
    language: Scalar = msgspec.field(default=None, name="$browser_language")
    locale: Scalar = msgspec.field(default=None, name="$locale")
    timezone: Scalar = msgspec.field(default=None, name="$timezone")
    app_name: Scalar = msgspec.field(default=None, name="$app_name")
    app_version: Scalar = msgspec.field(default=None, name="$app_version")
    app_build: Scalar = msgspec.field(default=None, name="$app_build")
    country: Scalar = msgspec.field(default=None, name="$geoip_country_code")
    utm_source: Scalar = None
    utm_medium: Scalar = None
    utm_campaign: Scalar = None
    utm_term: Scalar = None
    utm_content: Scalar = None


def context_of(seen: Seen, sent: msgspec.Raw | None) -> bytes:
    """``sent``: the properties, of a call that keeps traits in their place."""
    device = text(seen.device_type)
    context: dict[str, object] = {
        "library": _some(name=text(seen.lib), version=text(seen.lib_version)),
        "page": _some(
            url=text(seen.current_url),
            path=text(seen.pathname),
            referrer=text(seen.referrer),
            title=text(seen.title) or text(seen.dollar_title),
        ),
        "campaign": _campaign(seen),
        "userAgent": text(seen.user_agent) or text(seen.old_user_agent),
        "os": _some(name=text(seen.os_name) or text(seen.os), version=text(seen.os_version)),
        "device": _some(
            id=text(seen.device_id),
            type=device and device.lower(),
            model=text(seen.device_model),
            manufacturer=text(seen.device_maker),
        ),
        "locale": text(seen.locale) or text(seen.language),
        "timezone": text(seen.timezone),
        "app": _some(name=text(seen.app_name), version=text(seen.app_version), build=text(seen.app_build)),
        "location": _some(country=text(seen.country)),
        "sessionId": text(seen.session_id),
    }
    if bytes(seen.groups).startswith(b"{"):
        context["groups"] = seen.groups
    if sent is not None:
        context["properties"] = sent
    return msgspec.json.encode({name: value for name, value in context.items() if value is not None})


def _campaign(seen: Seen) -> dict[str, str] | None:
    """None where no parameter is there, so that the URL is looked at."""
    given = (seen.utm_source, seen.utm_medium, seen.utm_campaign, seen.utm_term, seen.utm_content)
    names = ("source", "medium", "name", "term", "content")
    return _some(**dict(zip(names, map(text, given), strict=True)))


def _some(**fields: str | None) -> dict[str, str] | None:
    return {name: value for name, value in fields.items() if value is not None} or None
