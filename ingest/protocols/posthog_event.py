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
what is ``$set``, null for what is ``$unset``, and ``$set_once`` under that name (whose first value stays: ``sql``'s model
``traits``). Any other event may carry them, too: they become an identify beside it (``Made``), unless no person is wanted
for the event.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Final

import msgspec

from ingest.outcome import Outcome
from ingest.protocols import repair, tolerant
from ingest.protocols.assemble import Item, RuleError, Said
from ingest.protocols.envelope import NOTHING
from ingest.protocols.posthog_context import Flag, Seen, context_of, with_sent
from ingest.record import Record
from ingest.scalar import Scalar, person, text

_LONGEST_ID: Final = 200  # characters; PostHog cuts there
COOKIELESS: Final = "$posthog_cookieless"
KIND: Final = {
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
_SAID_BESIDE: Final = re.compile(  # the names of what v1 says beside the properties
    rb'"\$(?:session_id|window_id|process_person_profile|ignore_sent_at|cookieless_mode|product_tour_id|lib|lib_version)"'
)
_QUOTE: Final = ord('"')
_ESCAPE: Final = ord("\\")  # behind which a name may be written otherwise
_FALSE: Final[frozenset[Flag]] = frozenset((False, "false", "0"))  # and 0, which equals the first
_TRUE: Final[frozenset[Flag]] = frozenset((True, "true", "1"))


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


class Around(msgspec.Struct):
    """What holds for all events of a request. ``sent_at`` and ``library`` are what it says where an event does not;
    ``unnamed`` is the name of an event without one (at ``/engage``)."""

    record: Record
    sent_at: str | None
    library: str
    unnamed: str | None


_EVENT: Final = msgspec.json.Decoder(Event)
_SEEN: Final = msgspec.json.Decoder(Seen)


def read(raw: msgspec.Raw, around: Around) -> Said:
    """Raises ``RuleError`` and what ``assemble.FAULTS`` lists, as does ``item_of``."""
    try:
        event = _EVENT.decode(raw)
    except msgspec.ValidationError:
        if not bytes(raw).lstrip().startswith(b"{"):
            raise RuleError(Outcome.NOT_AN_OBJECT, repr(bytes(raw)[:100])) from None
        event = tolerant.read(bytes(raw), Event)
    return item_of(event, around)


def item_of(event: Event, around: Around) -> Said:
    name = text(event.event) or around.unnamed
    event_id = text(event.uuid)
    if name is None:
        raise RuleError(Outcome.MISSING_EVENT, event_id=event_id)
    properties = _whole(event, around.library)
    try:
        seen = _SEEN.decode(properties)
    except msgspec.ValidationError:
        seen = tolerant.read(properties, Seen)
    item = Said(message_id=event_id or text(seen.insert_id), event=name, type=KIND.get(name, "track"))
    _put_identity(item, event, seen, around.record)
    _put_times(item, event, seen, around)
    _put_content(item, seen, properties)
    describes = seen.set is not NOTHING or seen.set_once is not NOTHING or seen.unset is not NOTHING
    if describes and item.type != "identify" and seen.person_wanted not in _FALSE and (traits := _traits(seen)) != b"{}":
        item.person = traits
    return item


def _whole(event: Event, library: str) -> bytes:
    """The properties with what stands beside them: as v0 has them, so that an event is the same by either way.

    A list or a text in the place of the properties is kept under ``$value``; what the properties say themselves wins."""
    properties = bytes(event.properties)
    if not properties.startswith(b"{"):
        properties = b"{}" if properties in (b"", b"null") else b'{"$value":' + properties + b"}"
    if event.set is not NOTHING or event.set_once is not NOTHING or event.unset is not NOTHING:
        given = (("$set", event.set), ("$set_once", event.set_once), ("$unset", event.unset))
        operations = {name: raw for name, raw in given if raw is not NOTHING and bytes(raw) != b"null"}
        return _merged(properties, operations | _said(event.session_id, event.window_id, bytes(event.options), library))
    if not library and event.session_id is None and event.window_id is None and event.options is NOTHING:
        return properties  # nearly always, of v0
    said = (event.session_id, event.window_id, bytes(event.options), library)
    if _ESCAPE in properties or _SAID_BESIDE.search(properties) is not None:
        return _merged(properties, _said(*said))
    if properties.startswith(b'{"'):  # nearly always
        return _before(*said) + properties[1:]
    return _put_before(properties, msgspec.json.encode(_said(*said)))


def _said(session_id: Scalar, window_id: Scalar, options: bytes, library: str) -> dict[str, object]:
    """What v1 has beside the properties."""
    beside: dict[str, object] = {}
    for name, value in (("$session_id", session_id), ("$window_id", window_id)):
        if value is not None:
            beside[name] = value
    if options.startswith(b"{"):
        given = tolerant.FIELDS.decode(options)
        beside |= {_OPTIONS[name]: raw for name, raw in given.items() if name in _OPTIONS and bytes(raw) != b"null"}
    if library:
        name, _, version = library.partition("/")
        beside |= {"$lib": name, "$lib_version": version}
    return beside


@lru_cache(maxsize=8_192, typed=True)  # 1 is not 1.0 there
def _before(session_id: Scalar, window_id: Scalar, options: bytes, library: str) -> bytes:
    """The same as the beginning of an object, to which a field follows."""
    beside = msgspec.json.encode(_said(session_id, window_id, options, library))
    return b"{" if beside == b"{}" else beside[:-1] + b","


def _merged(properties: bytes, beside: dict[str, object]) -> bytes:
    if not beside:
        return properties
    if not any(f'"{name}"'.encode() in properties for name in beside) and b"\\u" not in properties:
        return _put_before(properties, msgspec.json.encode(beside))  # none of the names stands there
    given: dict[str, object] = dict(tolerant.FIELDS.decode(properties))
    return msgspec.json.encode(beside | given)


def _put_before(properties: bytes, beside: bytes) -> bytes:
    if beside == b"{}":
        return properties
    rest = properties[1:].lstrip()
    return beside if rest.startswith(b"}") else beside[:-1] + b"," + rest


def _put_identity(item: Item, event: Event, seen: Seen, record: Record) -> None:
    sender = id_of(event.distinct_id) or id_of(event.dollar_id) or id_of(seen.distinct_id)
    if sender == COOKIELESS or (sender is None and seen.cookieless in _TRUE):
        item.anonymous_id = _visitor(record)
    elif item.type == "alias":
        _put_alias(item, sender, id_of(seen.alias), seen)
    elif item.type == "identify" and (before := id_of(seen.anon_distinct_id)) and before != sender:
        item.user_id, item.anonymous_id = sender, before
    elif seen.is_identified is not True and sender is not None and _is_anonymous(sender, seen):
        item.anonymous_id = sender
    else:
        item.user_id = sender


def _put_alias(item: Item, sender: str | None, alias: str | None, seen: Seen) -> None:
    """The alias becomes one with the sender, who stays; of a sender who is nobody known it is the name."""
    item.user_id, item.previous_id = sender, alias
    if sender is not None and person(alias) and _is_anonymous(sender, seen):
        item.user_id, item.previous_id, item.anonymous_id = alias, sender, sender


def _is_anonymous(sender: str, seen: Seen) -> bool:
    if seen.is_identified is not None and (seen.is_identified in _TRUE or seen.is_identified in _FALSE):
        return seen.is_identified in _FALSE
    if seen.user_id is not None and text(seen.user_id) == sender:
        return False
    if seen.person_wanted in _FALSE or (seen.device_id is not None and text(seen.device_id) == sender):
        return True
    return seen.group_type is not None and sender == f"${text(seen.group_type)}_{id_of(seen.group_key)}"


def id_of(raw: msgspec.Raw) -> str | None:
    """A text as it is, a number as JavaScript prints it, anything else as JSON; null and the empty text are none."""
    if raw is NOTHING:
        return None
    data = bytes(raw)
    if data[0] == _QUOTE and _ESCAPE not in data:  # nearly always
        return data[1:-1].decode()[:_LONGEST_ID] or None
    if data == b"null":
        return None
    value = repair.loads(data)
    said = value if isinstance(value, str) else text(value) if type(value) in (int, float) else None  # type: ignore[arg-type]
    return (said if said is not None else "" if value == "" else repair.dumps(value).decode())[:_LONGEST_ID] or None


def _visitor(record: Record) -> str:
    said = f"{record.received_at // _DAY}|{record.source}|{record.ip}|{record.user_agent}"
    return "cookieless-" + hashlib.blake2b(said.encode("utf-8", "replace"), digest_size=12).hexdigest()


def _put_times(item: Item, event: Event, seen: Seen, around: Around) -> None:
    offset = event.offset if isinstance(event.offset, int | float) else None
    if offset is not None and 0 <= offset < 1e12:
        item.timestamp = around.record.received_at - round(offset * 1_000)  # by our clock already
        return
    item.timestamp = event.timestamp
    if seen.ignore_sent_at not in _TRUE:
        item.sent_at = event.sent_at if event.sent_at is not None else around.sent_at


def _put_content(item: Said, seen: Seen, properties: bytes) -> None:
    if item.type == "identify":
        item.traits = msgspec.Raw(_traits(seen))
    elif item.type == "group":
        item.group_id = id_of(seen.group_key)
        item.traits = seen.group_set
    else:
        item.kept = properties
    if item.type == "screen":
        item.name = seen.screen_name
    item.said = context_of(seen)
    if item.type in ("identify", "group"):
        item.context = msgspec.Raw(with_sent(item.said, properties))


def _traits(seen: Seen) -> bytes:
    traits: dict[str, object] = {}
    if bytes(seen.set).startswith(b"{"):
        traits |= tolerant.FIELDS.decode(seen.set)
    if bytes(seen.unset).startswith(b"["):
        traits |= {name: None for name in msgspec.json.decode(seen.unset) if isinstance(name, str)}
    if bytes(seen.set_once).startswith(b"{") and (once := tolerant.FIELDS.decode(seen.set_once)):
        traits["$set_once"] = once
    return msgspec.json.encode(traits)
