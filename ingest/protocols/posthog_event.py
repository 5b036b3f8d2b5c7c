"""One event of PostHog's SDKs as an ``Item``: who sent it, which call it is, and what of its properties is context.

Who: ``distinct_id`` names a user unless the event itself says otherwise, in this order (seen in what posthog-js,
posthog-node and posthog-python send; https://posthog.com/docs/data/anonymous-vs-identified-events):
    ``$is_identified``                  the browser's own word: true is a user, false is nobody known
    ``$user_id`` equal to it            what the browser notes at identify: a user
    ``$device_id`` equal to it          the id that the browser made for its device: anonymous
    ``$process_person_profile`` false   an event for which no person is wanted: anonymous; a server without a name makes one
                                        up for such an event
    ``$<type>_<key>`` of a group        what posthog-node puts in place of a user who updates a group: anonymous
Never by its looks: an id that is a UUID may be a user's. Of ``$identify`` it is the user, and ``$anon_distinct_id`` who that
was before. Cookieless visitors share one id; they are told apart by day, address and browser, as PostHog does.

Which: ``$pageview`` is a page, ``$screen`` a screen, ``$identify``, ``$set``, ``$set_once`` and ``$unset`` an identify,
``$groupidentify`` a group, ``$create_alias`` and ``$merge_dangerously`` an alias, and all others a track. The traits are
``$set`` over ``$set_once`` (that the first value stays is not kept: the last one sent counts), null for ``$unset``. Any
other event may carry them, too: they become an identify beside it (``Made``), unless no person is wanted for the event.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from ingest.outcome import Outcome
from ingest.protocols import repair, tolerant
from ingest.protocols.assemble import Item, RuleError
from ingest.protocols.call import Call, Made
from ingest.protocols.envelope import NOTHING
from ingest.protocols.posthog_context import Seen, context_of
from ingest.record import Record
from ingest.scalar import Scalar, person, text

_LONGEST_ID: Final = 200  # characters; PostHog cuts there
_COOKIELESS: Final = "$posthog_cookieless"
_KIND: Final = {
    "$pageview": "page",
    "$screen": "screen",
    "$identify": "identify",
    "$set": "identify",
    "$set_once": "identify",
    "$unset": "identify",
    "$groupidentify": "group",
    "$create_alias": "alias",
    "$merge_dangerously": "alias",
}
_OPTIONS: Final = {  # of a v1 event, and the property that each is in v0
    "process_person_profile": "$process_person_profile",
    "disable_skew_correction": "$ignore_sent_at",
    "cookieless_mode": "$cookieless_mode",
    "product_tour_id": "$product_tour_id",
}
_DAY: Final = 86_400_000_000  # microseconds
_FALSE: Final = (False, "false", "0", 0)
_TRUE: Final = (True, "true", "1", 1)
_SAID: Final = (*_TRUE, *_FALSE)
_NONE: Final = (NOTHING,) * 4


class Event(msgspec.Struct, gc=False):
    """As it lies in a body of v0 or v1."""

    event: Scalar = None
    uuid: Scalar = None
    distinct_id: msgspec.Raw = NOTHING
    dollar_id: msgspec.Raw = msgspec.field(default=NOTHING, name="$distinct_id")
    timestamp: Scalar = None
    offset: Scalar = None  # milliseconds since it happened, by the sender's clock
    sent_at: Scalar = None
    properties: msgspec.Raw = NOTHING
    set: msgspec.Raw = msgspec.field(default=NOTHING, name="$set")
    set_once: msgspec.Raw = msgspec.field(default=NOTHING, name="$set_once")
    unset: msgspec.Raw = msgspec.field(default=NOTHING, name="$unset")
    session_id: Scalar = None  # these three: v1
    window_id: Scalar = None
    options: msgspec.Raw = NOTHING


class Sent(Item, gc=False):
    """``person``: traits of its sender that an event carries which is no identify; empty: none."""

    person: bytes = b""

    def stand_alone(self, name: str) -> None:
        super().stand_alone(name)
        self.person = b""


_EVENT: Final = msgspec.json.Decoder(Event)
_SEEN: Final = msgspec.json.Decoder(Seen)


def item_of(raw: msgspec.Raw, record: Record, sent_at: str | None, library: str, unnamed: str | None) -> Sent:
    """Raises ``RuleError`` and what ``assemble.FAULTS`` lists.

    ``sent_at`` and ``library`` are what the request says, where the event does not; ``unnamed`` is the name of an event
    without one (at ``/engage``).
    """
    event = _event(raw)
    name = text(event.event) or unnamed
    event_id = text(event.uuid)
    if name is None:
        raise RuleError(Outcome.MISSING_EVENT, event_id=event_id)
    properties = _whole(event, library)
    seen = _seen(properties)
    item = Sent(message_id=event_id or text(seen.insert_id), event=name, type=_KIND.get(name, "track"))
    _put_identity(item, event, seen, record)
    _put_times(item, event, seen, record.received_at, sent_at)
    _put_content(item, event, seen, properties)
    describes = seen.set is not NOTHING or seen.set_once is not NOTHING or seen.unset is not NOTHING
    if describes and item.type != "identify" and seen.person_wanted not in _FALSE and (traits := _traits(seen)) != b"{}":
        item.person = traits
    return item


def described(call: Call, traits: bytes) -> Made:
    """The identify of an event that carries traits of its sender; sent again it has the same id."""
    fields = msgspec.structs.asdict(call)
    same = {"event_id": f"{call.event_id}:set", "kind": "identify", "event": "$identify"}
    return Made(**fields | same | {"previous_id": None, "properties": traits})


def _event(raw: msgspec.Raw) -> Event:
    try:
        return _EVENT.decode(raw)
    except msgspec.ValidationError:
        if not bytes(raw).lstrip().startswith(b"{"):
            raise RuleError(Outcome.NOT_AN_OBJECT, repr(bytes(raw)[:100])) from None
        return tolerant.read(bytes(raw), Event)


def _seen(properties: bytes) -> Seen:
    try:
        return _SEEN.decode(properties)
    except msgspec.ValidationError:
        return tolerant.read(properties, Seen)


def _whole(event: Event, library: str) -> bytes:
    """The properties with what stands beside them: as v0 has them, so that an event is the same by either way."""
    others = (event.set, event.set_once, event.unset, event.options)
    if not library and event.session_id is None and event.window_id is None and others == _NONE:  # nearly always, of v0
        return _with(bytes(event.properties), {})
    beside: dict[str, object] = {}
    for name, raw in (("$set", event.set), ("$set_once", event.set_once), ("$unset", event.unset)):
        if raw is not NOTHING and bytes(raw) != b"null":
            beside[name] = raw
    for name, value in (("$session_id", event.session_id), ("$window_id", event.window_id)):
        if value is not None:
            beside[name] = value
    if event.options is not NOTHING and bytes(event.options).startswith(b"{"):
        given = tolerant.FIELDS.decode(event.options)
        beside |= {_OPTIONS[name]: raw for name, raw in given.items() if name in _OPTIONS and bytes(raw) != b"null"}
    if library:
        name, _, version = library.partition("/")
        beside |= {"$lib": name, "$lib_version": version}
    return _with(bytes(event.properties), beside)


def _with(properties: bytes, beside: dict[str, object]) -> bytes:
    """A list or a text in the place of the properties is kept under ``$value``; what the properties say themselves wins."""
    if not properties.startswith(b"{"):
        properties = b"{}" if properties in (b"", b"null") else b'{"$value":' + properties + b"}"
    if not beside:
        return properties
    if not any(f'"{name}"'.encode() in properties for name in beside) and b"\\u" not in properties:
        rest = properties[1:].lstrip()  # none of the names stands there: put before what does
        return msgspec.json.encode(beside) if rest.startswith(b"}") else msgspec.json.encode(beside)[:-1] + b"," + rest
    given: dict[str, object] = dict(tolerant.FIELDS.decode(properties))
    return msgspec.json.encode(beside | given)


def _put_identity(item: Item, event: Event, seen: Seen, record: Record) -> None:
    sender = _id(event.distinct_id) or _id(event.dollar_id) or _id(seen.distinct_id)
    if sender == _COOKIELESS or (sender is None and seen.cookieless in _TRUE):
        item.anonymous_id = _visitor(record)
    elif item.type == "alias":
        _put_alias(item, sender, _id(seen.alias), seen)
    elif item.type == "identify" and (before := _id(seen.anon_distinct_id)) and before != sender:
        item.user_id, item.anonymous_id = sender, before
    elif sender is not None and _is_anonymous(sender, seen):
        item.anonymous_id = sender
    else:
        item.user_id = sender


def _put_alias(item: Item, sender: str | None, alias: str | None, seen: Seen) -> None:
    """The alias becomes one with the sender, who stays; of a sender who is nobody known it is the name."""
    item.user_id, item.previous_id = sender, alias
    if sender is not None and person(alias) and _is_anonymous(sender, seen):
        item.user_id, item.previous_id, item.anonymous_id = alias, sender, sender


def _is_anonymous(sender: str, seen: Seen) -> bool:
    if seen.is_identified in _SAID:
        return seen.is_identified in _FALSE
    if text(seen.user_id) == sender:
        return False
    if text(seen.device_id) == sender or seen.person_wanted in _FALSE:
        return True
    return seen.group_type is not None and sender == f"${text(seen.group_type)}_{_id(seen.group_key)}"


def _id(raw: msgspec.Raw) -> str | None:
    """A text as it is, a number as JavaScript prints it, anything else as JSON; null and the empty text are none."""
    if raw is NOTHING or bytes(raw) == b"null":
        return None
    data = bytes(raw)
    if data.startswith(b'"') and b"\\" not in data:  # nearly always
        return data[1:-1].decode()[:_LONGEST_ID] or None
    value = repair.loads(data)
    said = value if isinstance(value, str) else text(value) if type(value) in (int, float) else None  # type: ignore[arg-type]
    return (said if said is not None else "" if value == "" else repair.dumps(value).decode())[:_LONGEST_ID] or None


def _visitor(record: Record) -> str:
    said = f"{record.received_at // _DAY}|{record.source}|{record.ip}|{record.user_agent}"
    return "cookieless-" + hashlib.blake2b(said.encode("utf-8", "replace"), digest_size=12).hexdigest()


def _put_times(item: Item, event: Event, seen: Seen, received_at: int, sent_at: str | None) -> None:
    offset = event.offset if isinstance(event.offset, int | float) else None
    if offset is not None and 0 <= offset < 1e12:
        item.timestamp = received_at - round(offset * 1_000)  # by our clock already
        return
    item.timestamp = event.timestamp
    if seen.ignore_sent_at not in _TRUE:
        item.sent_at = event.sent_at if event.sent_at is not None else sent_at


def _put_content(item: Item, event: Event, seen: Seen, properties: bytes) -> None:
    sent = msgspec.Raw(properties)
    if item.type == "identify":
        item.traits = msgspec.Raw(_traits(seen))
    elif item.type == "group":
        item.group_id = _id(seen.group_key)
        item.traits = seen.group_set
    else:
        item.properties = sent
    if item.type == "screen":
        item.name = seen.screen_name
    item.context = msgspec.Raw(context_of(seen, properties if item.type in ("identify", "group") else None))


def _traits(seen: Seen) -> bytes:
    traits: dict[str, object] = {}
    for raw in (seen.set_once, seen.set):
        if bytes(raw).startswith(b"{"):
            traits |= tolerant.FIELDS.decode(raw)
    if bytes(seen.unset).startswith(b"["):
        traits |= {name: None for name in msgspec.json.decode(seen.unset) if isinstance(name, str)}
    return msgspec.json.encode(traits)
