"""From one event, as any family of SDKs sent it, to a ``Call``: the rules that every event obeys, once for all families.

A family reads its own shape into an ``Item`` in the terms of Segment's calls, of which ours are named after; what stands
in ``context`` there becomes columns (``ingest.steps``).
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

import msgspec

from ingest.actor import KINDS, actor_id
from ingest.outcome import Outcome
from ingest.protocols.call import Call, Reject
from ingest.protocols.envelope import NOTHING
from ingest.protocols.shape import groups_in, json_object, merged, named, with_page
from ingest.scalar import NOBODY, Scalar, identifier, text
from ingest.steps import promoted
from ingest.times import corrected, micros

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


class Said(Item, gc=False):
    """An event of which most of the context is the same in many: ``said`` is that part, from which the columns come.

    Columns are made once for each context that is not remembered (``ingest.steps``), and an entity of an event's own would
    make each one another.
    """

    said: bytes = b""


class Sender(msgspec.Struct, frozen=True):
    """What the events of one request have in common."""

    kind: str | None  # where the path names it
    source: str
    user_agent: str
    received_at: int
    sent_at: int | None
    context: bytes  # the batch's own, laid under each event's; mostly empty


class RuleError(Exception):
    """A rule that one event broke; it does not leave ``outcome_of``."""

    def __init__(self, reason: Outcome, found: str = "", event_id: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.event_id = event_id
        self.detail = f"{found}: {reason.help}" if found else reason.help


# What else an event must obey, where somebody set it: told of a call, it says what is wrong (``ingest.plan``).
CHECK: Final[ContextVar[Callable[[Call], str | None] | None]] = ContextVar("CHECK", default=None)
_SCALAR: Final = msgspec.json.Decoder(Scalar)
FAULTS: Final = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)


def outcome_of(
    raw: msgspec.Raw, read: Callable[[msgspec.Raw], Item], sender: Sender, number: int, mint: Mint, limit: int
) -> Call | Reject:
    """The ``number``-th event of a request as a call, or the rule that it broke; never raises.

    ``read`` makes an item of ``raw``, which is what a reject keeps; ``limit``: how many bytes an event may have.
    """
    item: Item | None = None
    try:
        item = read(raw)
        if len(raw) > limit:
            raise RuleError(Outcome.TOO_LARGE, f"{len(raw)} bytes; at most {limit} are taken")
        call = call_of(item, sender, number, mint)
        if (check := CHECK.get()) is not None and (broke := check(call)) is not None:
            raise RuleError(Outcome.PLAN, broke, call.event_id)
        return call
    except RuleError as broken:
        event_id = broken.event_id if item is None else text(item.message_id)
        return Reject(broken.reason, broken.detail, event_id, bytes(raw))
    except FAULTS as fault:
        return Reject(Outcome.UNREADABLE, f"{type(fault).__name__}: {fault}", None, bytes(raw))


def moment(raw: msgspec.Raw) -> int | None:
    """A time as an envelope gives it, in microseconds; None where there is none that can be read."""
    try:
        return micros(_SCALAR.decode(raw)) if bytes(raw) else None
    except (msgspec.MsgspecError, ValueError):
        return None


def call_of(item: Item, sender: Sender, number: int, mint: Mint) -> Call:
    kind = sender.kind or _kind(item.type)
    user, anonymous = identifier(item.user_id), identifier(item.anonymous_id)
    if user is None and (anonymous is None or kind == "alias"):
        raise _unnamed(item)
    context = json_object(item.context)
    if sender.context:
        context = merged(sender.context, context)
    seen = promoted(item.said if type(item) is Said else context, sender.user_agent)
    event, properties = _named(kind, item, seen.traits)
    if kind == "page" and seen.page_url is None and b'"url"' in properties:
        seen = with_page(seen, properties)
    original = micros(item.timestamp) if item.timestamp is not None else micros(item.original_timestamp)
    sent_at = sender.sent_at if item.sent_at is None else micros(item.sent_at)
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
        _previous(kind, item, user),
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
        seen.country,
        seen.bot,
        properties,
        context,
    )


def _named(kind: str, item: Item, context_traits: bytes) -> tuple[str, bytes]:
    """The event's name and its properties, which are the traits of an identify or group."""
    if kind == "track":
        event = text(item.event)
        if event is None:
            raise RuleError(Outcome.MISSING_EVENT)
        return event, json_object(item.properties)
    if kind in ("page", "screen"):
        name, category = text(item.name), text(item.category)
        return name or f"${kind}", named(json_object(item.properties), name, category)
    if kind == "identify":  # a group's context.traits are its member's, not its own
        traits = json_object(item.traits)
        return "$identify", context_traits if traits == b"{}" and context_traits.startswith(b"{") else traits
    if kind == "group":
        _required(item.group_id, Outcome.MISSING_GROUP)
        return "$group", json_object(item.traits)
    return "$alias", json_object(item.properties)


def _previous(kind: str, item: Item, user: str | None) -> str | None:
    """Of an alias the id that is replaced; of another call with two ids the anonymous one, where its family says that both
    are one person's. An identify says so by itself."""
    if kind == "alias":
        return _required(item.previous_id, Outcome.MISSING_PREVIOUS)
    return None if user is None or kind == "identify" or item.previous_id is None else identifier(item.previous_id)


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
        raise RuleError(Outcome.ILLEGAL_ID, repr(given)) if given in NOBODY else RuleError(reason)
    return name


def _unnamed(item: Item) -> RuleError:
    nothing = next((given for given in (item.user_id, item.anonymous_id) if given in NOBODY), None)
    return RuleError(Outcome.MISSING_IDENTITY) if nothing is None else RuleError(Outcome.ILLEGAL_ID, repr(nothing))
