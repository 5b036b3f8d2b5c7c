"""One of Mixpanel's events, or one update of a person or a group, as an ``Item``."""

from __future__ import annotations

from typing import Final

import msgspec

from ingest.outcome import Outcome
from ingest.protocols import tolerant
from ingest.protocols.assemble import Item, RuleError, Said
from ingest.protocols.envelope import NOTHING
from ingest.protocols.mixpanel_ids import DEVICE, JOINS, bare, joined, who
from ingest.protocols.mixpanel_seen import Ids, context_of, read, without_token
from ingest.scalar import Scalar, text

Fields = dict[str, msgspec.Raw]

_ABOUT: Final = frozenset(
    ("$token", "$distinct_id", "$group_key", "$group_id", "$device_id", "$user_id", "$time", "$ip", "$ignore_time")
)
_PAGE_VIEW: Final = "$mp_web_page_view"


class Event(msgspec.Struct, gc=False):
    """``{"event": ..., "properties": {"token", "distinct_id", "time", "$insert_id", ...}}``"""

    event: Scalar = None
    properties: msgspec.Raw = NOTHING


_EVENT: Final = msgspec.json.Decoder(Event)
_ANY: Final = msgspec.json.Decoder()
_SCALAR: Final = msgspec.json.Decoder(Scalar)


def read_event(raw: msgspec.Raw) -> Item:
    """Raises ``RuleError`` and what ``assemble.FAULTS`` lists, as do ``item_of`` and ``read_update``."""
    try:
        event = _EVENT.decode(raw)
    except msgspec.ValidationError:
        if not bytes(raw).startswith(b"{"):
            raise RuleError(Outcome.NOT_AN_OBJECT, repr(bytes(raw)[:100])) from None
        event = tolerant.read(bytes(raw), Event)
    return item_of(event)


def item_of(event: Event) -> Item:
    properties = bytes(event.properties)
    if not properties.startswith(b"{"):
        properties = b"{}"
    seen, ids = read(properties)
    event_id = text(seen.insert_id)
    name = text(event.event)
    kept = without_token(properties, seen.token)
    if name in JOINS:
        item = _joined(str(name), kept, event_id)
    else:
        item = Said(type="page" if name == _PAGE_VIEW else "track", event=name, kept=kept)
        _put_ids(item, ids, "distinct_id", event_id)
        if seen.user_id is not None and seen.device_id is not None:
            item.previous_id = item.anonymous_id  # "simplified id merge": both on one event are one person's
    item.message_id, item.timestamp = event_id, seen.time
    item.said = context_of(seen)
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
        ids = [_value(given, name) for name in ("$distinct_id", "$user_id", "$device_id")]
        _put_ids(item, (ids[0], ids[1], ids[2]), "$distinct_id", None)
    ip = _scalar(given, "$ip")
    item.context = _encoded({"ip": ip} if ip is not None else {})
    return item


def _joined(event: str, properties: bytes, event_id: str | None) -> Said:
    """``$identify``, ``$create_alias`` and ``$merge``."""
    told = joined(event, msgspec.json.decode(properties, type=dict[str, object]))
    item = Said(type=str(told["type"]))
    item.user_id = _id(told.get("userId"), "distinct_id", event_id)
    item.anonymous_id = _id(told.get("anonymousId"), "$device_id", event_id)
    item.previous_id = _id(told.get("previousId"), "alias", event_id)
    if item.type == "alias":
        item.kept = properties
    return item


def _put_ids(item: Item, ids: Ids, distinct: str, event_id: str | None) -> None:
    _, user, device = ids
    if type(user) is str and type(device) is str and user and device:  # both are named, as browsers do of who is known
        item.user_id, item.anonymous_id = user.removeprefix(DEVICE), device.removeprefix(DEVICE).removeprefix(DEVICE)
        return
    found = who(*[None if one == "" else one for one in ids])
    item.user_id = _id(found.get("userId"), distinct, event_id)
    item.anonymous_id = _id(found.get("anonymousId"), "$device_id", event_id)


def _id(value: object, name: str, event_id: str | None) -> Scalar:
    """A number may be an id; what is an object, a list or a truth value is none."""
    if isinstance(value, str):
        return str(bare(value))
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
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


def _fields(raw: msgspec.Raw) -> Fields:
    if not bytes(raw).startswith(b"{"):
        raise RuleError(Outcome.NOT_AN_OBJECT, repr(bytes(raw)[:100]))
    return tolerant.FIELDS.decode(raw)


def _object(raw: msgspec.Raw | None) -> Fields:
    return tolerant.FIELDS.decode(raw) if raw is not None and bytes(raw).startswith(b"{") else {}


def _encoded(found: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(found))


def _value(given: Fields, name: str) -> object:
    return _ANY.decode(given[name]) if name in given else None


def _scalar(given: Fields, name: str) -> Scalar:
    try:
        return _SCALAR.decode(given[name]) if name in given else None
    except msgspec.ValidationError:
        return None
