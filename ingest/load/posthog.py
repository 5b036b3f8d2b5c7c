"""PostHog's batch exports and file downloads of the models events and persons, as JSON lines or Parquet.

https://posthog.com/docs/cdp/batch-exports/s3: uuid, event, distinct_id, properties, timestamp, created_at, and more. JSON
lines nest the properties, Parquet holds them as text. Identity: ``$identify`` names the anonymous id that it replaces in
``$anon_distinct_id``; ``$create_alias`` and ``$merge_dangerously`` name the other id in ``alias``. What any other event sets
on its person becomes an identify beside it. A ``distinct_id`` that is the device's own id, or of one whom PostHog says it
has not identified, is an anonymous id. ``person_id`` is whom PostHog took the sender for when it came; it is kept in the
context, as it tells of merges that no event of the export names.

A row of the persons export has team_id, distinct_id, person_id, properties, person_version, person_distinct_id_version,
created_at and is_deleted: one of the person's ids, and whose it is now. What becomes of it: ``roster``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ingest.load.exported import context, groups, mapping, without_nothing

# Events that are such a call themselves, and those that tell of somebody else.
_DESCRIBING: Final = ("$identify", "$set", "$set_once", "$unset", "$create_alias", "$merge_dangerously", "$groupidentify")


@dataclass(frozen=True)
class Person:
    """``call`` sets the traits of the id; ``versions`` compare as texts, first that of the id, then that of the person."""

    person: str | None
    versions: str
    deleted: bool
    call: Mapping[str, object]


def is_person(row: Mapping[str, object]) -> bool:
    return "event" not in row and "person_id" in row


def person(row: Mapping[str, object]) -> Person:
    whose = row.get("person_id")
    told = without_nothing({"type": "identify", "userId": row.get("distinct_id"), "traits": mapping(row.get("properties"))})
    versions = [f"{_version(row.get(name)):020d}" for name in ("person_distinct_id_version", "person_version")]
    gone = row.get("is_deleted") in (True, 1, "true", "1")
    return Person(str(whose) if whose not in (None, "") else None, " ".join(versions), gone, told)


def _version(value: object) -> int:
    return int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()) else 0


def call(row: Mapping[str, object]) -> Mapping[str, object]:
    event, sender, properties = row.get("event"), row.get("distinct_id"), mapping(row.get("properties"))
    device = properties.get("$device_id")
    anonymous = sender == device or properties.get("$is_identified") is False or properties.get("$user_state") == "anonymous"
    base = {
        "messageId": row.get("uuid"),
        "timestamp": row.get("timestamp") or row.get("created_at"),
        "userId": None if anonymous else sender,
        "anonymousId": sender if anonymous else device,
        "context": _context(properties) | context({"personId": row.get("person_id")}),
    }
    traits = _traits(properties)
    return without_nothing(base | _told(event, sender, properties, traits))


def described(row: Mapping[str, object]) -> Mapping[str, object] | None:
    """The identify call of what any other event sets on its person, as the door makes one (``protocols.posthog_event``)."""
    event, properties = row.get("event"), mapping(row.get("properties"))
    if event in _DESCRIBING or properties.get("$process_person_profile") in (False, "false"):
        return None
    traits = _traits(properties)
    if not traits:
        return None
    told = call(row)
    sender = "userId" if "userId" in told else "anonymousId"
    kept = {name: told[name] for name in ("timestamp", sender, "context") if name in told}
    named = {"messageId": f"{told['messageId']}:set"} if "messageId" in told else {}
    return {"type": "identify", "traits": traits, **kept, **named}


def _traits(properties: dict[str, object]) -> dict[str, object]:
    unset = properties.get("$unset")
    gone = {name: None for name in unset if isinstance(name, str)} if isinstance(unset, list) else {}
    once = mapping(properties.get("$set_once"))
    return {**mapping(properties.get("$set")), **gone, **({"$set_once": once} if once else {})}


def _told(event: object, sender: object, properties: dict[str, object], traits: dict[str, object]) -> dict[str, object]:
    if event == "$identify":
        ids = {"userId": sender, "anonymousId": properties.get("$anon_distinct_id") or properties.get("$device_id")}
        return {"type": "identify", "traits": traits, **ids}
    if event in ("$set", "$set_once", "$unset"):
        return {"type": "identify", "traits": traits}
    if event in ("$create_alias", "$merge_dangerously"):
        ids = {"userId": sender, "previousId": properties.get("alias"), "anonymousId": None}
        return {"type": "alias", "properties": properties, **ids}
    if event == "$groupidentify":
        key, kind = properties.get("$group_key"), properties.get("$group_type")
        made = sender == f"${kind}_{key}"  # by a server that named no one: not a user of the group
        ids = {"userId": None, "anonymousId": sender} if made else {}
        return {"type": "group", "groupId": key, "traits": mapping(properties.get("$group_set")), **ids}
    if event == "$pageview":
        return {"type": "page", "properties": properties}
    if event == "$screen":
        return {"type": "screen", "name": properties.get("$screen_name"), "properties": properties}
    return {"type": "track", "event": event, "properties": properties}


def _context(properties: dict[str, object]) -> dict[str, object]:
    return context(
        {
            "page.url": properties.get("$current_url"),
            "page.path": properties.get("$pathname"),
            "page.referrer": None if properties.get("$referrer") == "$direct" else properties.get("$referrer"),
            **{f"campaign.{name}": properties.get(f"utm_{name}") for name in ("source", "medium", "term", "content")},
            "campaign.name": properties.get("utm_campaign"),
            "library.name": properties.get("$lib"),
            "library.version": properties.get("$lib_version"),
            "os.name": properties.get("$os"),
            "device.type": properties.get("$device_type"),
            "app.version": properties.get("$app_version"),
            "location.country": properties.get("$geoip_country_code"),
            "locale": properties.get("$browser_language"),
            "userAgent": properties.get("$raw_user_agent") or properties.get("$user_agent"),
            "sessionId": properties.get("$session_id"),
            "groups": groups(properties.get("$groups")),
        }
    )
