"""From one event, as any family of SDKs sent it, to a ``Call``: the rules that every event obeys, once for all families.

A family reads its own shape into an ``Item`` in the terms of Segment's calls, of which ours are named after; what stands
in ``context`` there becomes columns (``ingest.steps``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from functools import lru_cache
from typing import Final

import msgspec

from ingest import limits, privacy
from ingest.actor import KINDS, actor_id
from ingest.outcome import Outcome
from ingest.protocols.call import Call, Made, Reject
from ingest.protocols.envelope import NOTHING
from ingest.protocols.shape import groups_in, json_object, merged, named, with_page
from ingest.scalar import NOBODY, Scalar, identifier, is_stranger, person, text
from ingest.steps import promoted
from ingest.times import corrected, micros
from ingest.told import Told

Mint = Callable[[int], str]


class Item(msgspec.Struct, rename="camel", gc=False):
    """One event as SDKs send it. Ids may be numbers; nulls are explicit."""

    type: Scalar = None
    message_id: Scalar = None
    event: Scalar = None
    name: Scalar = None
    category: Scalar = None
    user_id: Scalar = None
    anonymous_id: Scalar = None
    previous_id: Scalar = None
    group_id: Scalar = None
    timestamp: Scalar = None
    original_timestamp: Scalar = None
    sent_at: Scalar = None
    properties: msgspec.Raw = NOTHING
    traits: msgspec.Raw = NOTHING
    context: msgspec.Raw = NOTHING

    def stand_alone(self, name: str) -> None:
        """Be an event of nobody known, under a name of its own."""
        self.user_id = self.previous_id = self.group_id = None
        self.anonymous_id = name


class Around(msgspec.Struct, frozen=True):
    """What holds for all events of a request, whoever decodes it: the operator's limits, what the door wrote beside it
    (mostly nothing), and the address that it came from."""

    limits: limits.Limits = limits.USUAL
    told: Told | None = None
    ip: str = ""


AROUND: Final[ContextVar[Around]] = ContextVar("AROUND", default=Around())  # noqa: B039 (frozen)
Check = Callable[["Call"], str | None]
# What else an event must obey, where somebody set it: told of a call, it says what is wrong (``ingest.plan``).
CHECK: Final[ContextVar[Check | None]] = ContextVar("CHECK", default=None)


class Said(Item, gc=False):
    """An event that says more than a call of Segment's; either is empty where there is none.

    ``said`` is the part of the context from which the columns come, where that is the same in many events: columns are made
    once for each context that is not remembered (``ingest.steps``), and an entity of an event's own would make each another.
    Where there is no ``context``, it is the whole: the very same bytes for many events.
    ``kept``: the properties, where its family has them as the bytes of an object already. ``person``: traits of its sender
    that an event carries which is no identify.
    """

    said: bytes = b""
    kept: bytes = b""
    person: bytes = b""

    def stand_alone(self, name: str) -> None:
        super().stand_alone(name)
        self.said = self.kept = self.person = b""


class Sender(msgspec.Struct, frozen=True):
    """What the events of one request have in common."""

    kind: str | None  # where the path names it
    source: str
    user_agent: str
    received_at: int
    sent_at: int | None
    context: bytes  # the batch's own, laid under each event's; mostly empty
    around: Around = msgspec.field(default_factory=AROUND.get)
    check: Check | None = msgspec.field(default_factory=CHECK.get)


class RuleError(Exception):
    """A rule that one event broke; it does not leave this file and the families' ``read``."""

    def __init__(self, reason: Outcome, found: str = "", event_id: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.event_id = event_id
        self.detail = f"{found}: {reason.help}" if found else reason.help


_SCALAR: Final = msgspec.json.Decoder(Scalar)
FAULTS: Final = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)


def at_once(items: Iterable[Item], sender: Sender, mint: Mint) -> list[Call] | None:
    """The events of a request, all read in one go, as calls. None where one of them is not sound, or cannot be read: then
    each is looked at ``one_by_one``. Only of a request that as a whole is no larger than one event may be."""
    calls: list[Call] = []
    try:
        if sender.around.told is None and sender.check is None:  # nearly always
            for number, item in enumerate(items):
                call = call_of(item, sender, number, mint)
                calls.append(call)
                if type(item) is Said and item.person:
                    calls.append(_described(call, item.person))
            return calls
        for number, item in enumerate(items):
            _add(calls, item, sender, number, mint)
    except (RuleError, *FAULTS):
        return None
    return calls


def one_by_one(
    raws: Iterable[msgspec.Raw], read: Callable[[msgspec.Raw], Item], sender: Sender, mint: Mint, limit: int
) -> tuple[list[Call], list[Reject]]:
    """Each event of a request as a call, or as a reject with the rule that it broke and its bytes; never raises.

    ``read`` makes an item of an event; ``limit``: how many bytes one may have.
    """
    calls: list[Call] = []
    rejects: list[Reject] = []
    for number, raw in enumerate(raws):
        item: Item | None = None
        try:
            item = read(raw)
            _add(calls, item, sender, number, mint, len(raw), limit)
        except RuleError as broken:
            event_id = broken.event_id if item is None else text(item.message_id)
            rejects.append(Reject(broken.reason, broken.detail, event_id, bytes(raw)))
        except FAULTS as fault:
            rejects.append(Reject(Outcome.UNREADABLE, f"{type(fault).__name__}: {fault}", None, bytes(raw)))
    return calls, rejects


def _add(calls: list[Call], item: Item, sender: Sender, number: int, mint: Mint, size: int = 0, limit: int = 0) -> None:
    """The ``number``-th event of a request as a call, and the identify that it carries; or else ``RuleError`` or FAULTS."""
    if sender.around.told is not None:
        sender = _keep_private(item, sender, sender.around.told, number, mint)
    if size > limit:
        raise RuleError(Outcome.TOO_LARGE, f"{size} bytes; at most {limit} are taken")
    call = call_of(item, sender, number, mint)
    if sender.check is not None and (broke := sender.check(call)) is not None:
        raise RuleError(Outcome.PLAN, broke, call.event_id)
    calls.append(call)
    if type(item) is Said and item.person:
        calls.append(_described(call, item.person))


def _described(call: Call, traits: bytes) -> Made:
    """The identify of an event that carries traits of its sender; sent again it has the same id."""
    fields = msgspec.structs.asdict(call)
    same = {"event_id": f"{call.event_id}:set", "kind": "identify", "event": "$identify"}
    return Made(**fields | same | {"previous_id": None, "properties": traits})


def moment(raw: msgspec.Raw) -> int | None:
    """A time as an envelope gives it, in microseconds; None where there is none that can be read."""
    try:
        return micros(_SCALAR.decode(raw)) if bytes(raw) else None
    except (msgspec.MsgspecError, ValueError):
        return None


def call_of(item: Item, sender: Sender, number: int, mint: Mint) -> Call:
    kind = sender.kind or _kind(item.type)
    user, anonymous = person(item.user_id), person(item.anonymous_id)
    if user is None and (anonymous is None or kind == "alias"):
        raise _unnamed(item)
    said = item.said if type(item) is Said else b""
    context = said if said and item.context is NOTHING else json_object(item.context)
    if sender.context:
        context = merged(sender.context, context)
    seen = promoted(said or context, sender.user_agent)
    event, properties = _named(kind, item, seen.traits)
    most = sender.around.limits
    if len(properties) + len(event) > limits.ALWAYS and (too_much := limits.exceeded(most, event, properties)) is not None:
        raise RuleError(Outcome.TOO_COMPLEX, too_much)
    if seen.opened > most.depth and (too_much := limits.too_deep(most, context)) is not None:
        raise RuleError(Outcome.TOO_COMPLEX, too_much)
    if kind == "page" and seen.page_url is None and b'"url"' in properties:
        seen = with_page(seen, properties)
    original = micros(item.timestamp) if item.timestamp is not None else micros(item.original_timestamp)
    sent_at = sender.sent_at if item.sent_at is None else _sent(item.sent_at)
    country = seen.country
    if (told := sender.around.told) is not None:
        country = country or (told.country or None if seen.own else None)
        context, properties = _with_address(context, properties, told, sender.around.ip if seen.own else "")
    return Call(
        text(item.message_id) or mint(number),
        kind,
        event,
        corrected(original, sent_at, sender.received_at),
        original,
        sent_at,
        sender.received_at,
        anonymous,
        user,
        _previous(kind, item, user, anonymous),
        actor_id("anonymous", anonymous or "") if user is None else actor_id("user", user),
        identifier(item.group_id) or seen.account_id or groups_in(properties),
        seen.session_id,
        sender.source,
        seen.library,
        seen.page_url,
        seen.page_path,
        seen.page_referrer,
        seen.utm_source,
        seen.utm_medium,
        seen.utm_campaign,
        seen.utm_term,
        seen.utm_content,
        seen.device,
        seen.os,
        seen.browser,
        seen.locale,
        seen.app_version,
        country,
        seen.bot,
        properties,
        context,
    )


_sent = lru_cache(maxsize=1_024)(micros)  # all events of a request were sent at one time


def _named(kind: str, item: Item, context_traits: bytes) -> tuple[str, bytes]:
    """The event's name and its properties, which are the traits of an identify or group."""
    if kind == "track":
        event = text(item.event)
        if event is None:
            raise RuleError(Outcome.MISSING_EVENT)
        return event, _properties(item)
    if kind in ("page", "screen"):
        name, category = text(item.name), text(item.category)
        return name or f"${kind}", named(_properties(item), name, category)
    if kind == "identify":  # a group's context.traits are its member's, not its own
        traits = json_object(item.traits)
        return "$identify", context_traits if traits == b"{}" and context_traits.startswith(b"{") else traits
    if kind == "group":
        _required(item.group_id, Outcome.MISSING_GROUP)
        return "$group", json_object(item.traits)
    return "$alias", _properties(item)


def _properties(item: Item) -> bytes:
    return item.kept if type(item) is Said and item.kept else json_object(item.properties)


def _previous(kind: str, item: Item, user: str | None, anonymous: str | None) -> str | None:
    """Of an alias the id that is replaced; of another call with two ids the anonymous one, where its family says that both
    are one person's. An identify says so by itself."""
    if kind == "alias":
        return _replaced(item.previous_id)
    if user is None or kind == "identify" or item.previous_id is None:
        return None
    return anonymous if item.previous_id is item.anonymous_id else person(item.previous_id)


def _kind(given: Scalar) -> str:
    if type(given) is str and given in KINDS:
        return given
    kind = text(given)
    if kind is None:
        raise RuleError(Outcome.MISSING_TYPE)
    if kind.lower() in KINDS:
        return kind.lower()
    raise RuleError(Outcome.UNKNOWN_TYPE, repr(kind[:100]))


def _required(given: Scalar, reason: Outcome) -> str:
    name = identifier(given)
    if name is None:
        raise RuleError(Outcome.ILLEGAL_ID, repr(given)) if text(given) in NOBODY else RuleError(reason)
    return name


def _replaced(given: Scalar) -> str:
    name = person(given)
    if name is None:
        raise RuleError(Outcome.ILLEGAL_ID, repr(given)) if is_stranger(given) else RuleError(Outcome.MISSING_PREVIOUS)
    return name


def _unnamed(item: Item) -> RuleError:
    nothing = next((given for given in (item.user_id, item.anonymous_id) if is_stranger(given)), None)
    return RuleError(Outcome.MISSING_IDENTITY) if nothing is None else RuleError(Outcome.ILLEGAL_ID, repr(nothing))


def _keep_private(item: Item, sender: Sender, told: Told, number: int, mint: Mint) -> Sender:
    """Take out of an item what its sender did not agree to; raises ``RuleError`` where nothing of it may be stored.

    Without ids it stands alone, under its own id: strangers never make one person. Returned is the sender to go on with.
    """
    context = json_object(item.context)
    if type(item) is Said and item.said and item.context is NOTHING:
        context = item.said
    if sender.context:
        context = merged(sender.context, context)
    asked = privacy.without(told, context)
    if asked == "store":
        return sender
    kind = sender.kind or (item.type.lower() if isinstance(item.type, str) else "")
    if asked == "drop" or kind in privacy.ABOUT_PEOPLE:
        raise RuleError(Outcome.NO_CONSENT)
    properties = _properties(item)
    item.stand_alone(f"nobody-{text(item.message_id) or mint(number)}")
    item.properties = msgspec.Raw(privacy.without_ids(properties))
    item.context = msgspec.Raw(privacy.without_ids(context))
    return msgspec.structs.replace(sender, context=b"")


def _with_address(context: bytes, properties: bytes, told: Told, ip: str) -> tuple[bytes, bytes]:
    """Both with as much of the sender's address as the source keeps; ``ip`` is the request's, empty where it is not his."""
    if told.ip == "drop":
        return privacy.without_address(context), privacy.without_address(properties)
    if told.ip == "truncate":
        context, properties = privacy.shortened(context), privacy.shortened(properties)
    return (context if told.ip == "sent" else privacy.with_address(context, ip)), properties
