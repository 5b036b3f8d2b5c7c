"""One of Mixpanel's events, or one update of a person or a group, as an ``Item``."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import msgspec

from ingest.outcome import Outcome
from ingest.protocols import tolerant
from ingest.protocols.assemble import Item, RuleError
from ingest.protocols.mixpanel_ids import JOINS, bare, is_device, joined, who
from ingest.scalar import Scalar, text

Fields = dict[str, msgspec.Raw]

_CAMPAIGN: Final = {
    "utm_source": "source", "utm_medium": "medium", "utm_campaign": "name", "utm_term": "term", "utm_content": "content",
}  # fmt: skip
_FOLDERS: Final = {  # in which object of the context a property stands, and how it is called there
    "$current_url": ("page", "url"),
    "current_url": ("page", "url"),
    "current_page_title": ("page", "title"),
    "$referrer": ("page", "referrer"),
    **{name: ("campaign", inner) for name, inner in _CAMPAIGN.items()},
    "mp_lib": ("library", "name"),
    "$lib_version": ("library", "version"),
    "$os": ("os", "name"),
    "$os_version": ("os", "version"),
    "$browser": ("browser", "name"),
    "$browser_version": ("browser", "version"),
    "$manufacturer": ("device", "manufacturer"),
    "$model": ("device", "model"),
    "$app_version_string": ("app", "version"),
    "$app_build_number": ("app", "build"),
    "mp_country_code": ("location", "country"),
    "$city": ("location", "city"),
    "$region": ("location", "region"),
}
_NAMES: Final = {"$locale": "locale", "$user_agent": "userAgent", "$ip": "ip", "ip": "ip"}
_PRIVATE: Final = frozenset(("token",))  # of an event's properties, the write key
_ABOUT: Final = frozenset(
    ("$token", "$distinct_id", "$group_key", "$group_id", "$device_id", "$user_id", "$time", "$ip", "$ignore_time")
)
_PAGE_VIEW: Final = "$mp_web_page_view"

_SCALAR: Final = msgspec.json.Decoder(Scalar)


def read_event(raw: msgspec.Raw) -> Item:
    """``{"event": ..., "properties": {"token", "distinct_id", "time", "$insert_id", ...}}``

    Raises ``RuleError`` and what ``assemble.FAULTS`` lists, as does ``read_update``.
    """
    given = _fields(raw)
    properties = _object(given.get("properties"))
    event_id = text(_scalar(properties, "$insert_id"))
    event = text(_scalar(given, "event"))
    kept = {name: value for name, value in properties.items() if name not in _PRIVATE}
    if event in JOINS:
        item = _joined(str(event), properties, event_id)
    else:
        item = _tracked(event, properties, event_id)
        item.properties = _encoded(kept)
    item.message_id, item.timestamp = event_id, _scalar(properties, "time")
    item.context = _context(properties)
    return item


def read_update(raw: msgspec.Raw) -> Item:
    """``{"$token", "$distinct_id", "$set": {...}}``; of a group ``$group_key`` and ``$group_id`` in place of the sender."""
    given = _fields(raw)
    item = Item(timestamp=_scalar(given, "$time"))
    traits = _encoded(_operated(given))
    group = text(_scalar(given, "$group_id"))
    if "$group_key" in given or group is not None:
        item.type, item.group_id, item.traits = "group", group, traits
        if "$distinct_id" not in given:  # nobody's: the group speaks for itself, under the name that Amplitude's has here
            item.anonymous_id = f"${text(_scalar(given, '$group_key')) or 'group'}_{group}"
    else:
        item.type, item.traits = "identify", traits
    if "$distinct_id" in given:
        _put_ids(item, given, "$distinct_id", None)
    ip = _scalar(given, "$ip")
    item.context = _encoded({"ip": ip} if ip is not None else {})
    return item


def _tracked(event: str | None, properties: Fields, event_id: str | None) -> Item:
    item = Item(type="page" if event == _PAGE_VIEW else "track", event=event)
    _put_ids(item, properties, "distinct_id", event_id)
    if _scalar(properties, "$user_id") is not None and _scalar(properties, "$device_id") is not None:
        item.previous_id = item.anonymous_id  # "simplified id merge": both on one event are one person's
    return item


def _joined(event: str, properties: Fields, event_id: str | None) -> Item:
    """``$identify``, ``$create_alias`` and ``$merge``."""
    told = joined(event, {name: msgspec.json.decode(raw) for name, raw in properties.items() if name not in _PRIVATE})
    item = Item(type=str(told["type"]))
    item.user_id = _id(told.get("userId"), "distinct_id", event_id)
    item.anonymous_id = _id(told.get("anonymousId"), "$device_id", event_id)
    item.previous_id = _id(told.get("previousId"), "alias", event_id)
    if item.type == "alias":
        item.properties = _encoded({name: raw for name, raw in properties.items() if name not in _PRIVATE})
    return item


def _put_ids(item: Item, given: Fields, distinct: str, event_id: str | None) -> None:
    ids = [_value(given, name) for name in (distinct, "$user_id", "$device_id")]
    found = who(*(None if one == "" else one for one in ids))
    item.user_id = _id(found.get("userId"), distinct, event_id)
    item.anonymous_id = _id(found.get("anonymousId"), "$device_id", event_id)


def _id(value: object, name: str, event_id: str | None) -> Scalar:
    """A number may be an id; what is an object, a list or a truth value is none."""
    if value is None or (isinstance(value, str | int | float) and not isinstance(value, bool)):
        return str(bare(value)) if is_device(value) else value
    raise RuleError(Outcome.ILLEGAL_ID, f"{name} is {value!r:.100}", event_id)


def _operated(given: Fields) -> dict[str, object]:
    """What is ``$set`` as its own field, what is ``$unset`` as null, any other operation under its name."""
    traits: dict[str, object] = {}
    for name, raw in given.items():
        if name == "$set" and bytes(raw).startswith(b"{"):
            traits.update(_object(raw))
        elif name == "$unset" and bytes(raw).startswith(b"["):
            traits.update(dict.fromkeys(one for one in msgspec.json.decode(raw) if isinstance(one, str)))
        elif name not in _ABOUT:
            traits[name] = raw
    return traits


def _context(properties: Fields) -> msgspec.Raw:
    context: dict[str, object] = {}
    for name, raw in properties.items():
        if name in _FOLDERS and bytes(raw) not in (b"null", b'""', b'"$direct"'):
            folder, inner = _FOLDERS[name]
            within = context.setdefault(folder, {})
            assert isinstance(within, dict)
            within.setdefault(inner, raw)
        elif name in _NAMES:
            context[_NAMES[name]] = raw
    page = context.get("page")
    if isinstance(page, dict) and (path := _path(page.get("url"))):
        page["path"] = path
    return _encoded(context)


def _path(url: msgspec.Raw | None) -> str | None:
    try:
        return None if url is None else urlsplit(msgspec.json.decode(url, type=str)).path or "/"
    except ValueError:  # msgspec's errors are
        return None


def _fields(raw: msgspec.Raw) -> Fields:
    if not bytes(raw).startswith(b"{"):
        raise RuleError(Outcome.NOT_AN_OBJECT, repr(bytes(raw)[:100]))
    return tolerant.FIELDS.decode(raw)


def _object(raw: msgspec.Raw | None) -> Fields:
    return tolerant.FIELDS.decode(raw) if raw is not None and bytes(raw).startswith(b"{") else {}


def _encoded(found: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(found))


def _value(given: Fields, name: str) -> object:
    return msgspec.json.decode(given[name]) if name in given else None


def _scalar(given: Fields, name: str) -> Scalar:
    try:
        return _SCALAR.decode(given[name]) if name in given else None
    except msgspec.ValidationError:
        return None
