"""The Segment HTTP tracking API: ``/v1/{track,identify,group,page,screen,alias,batch,import}``.

Facts: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/ and what its SDKs were seen to send.
The fast path reads an event into ``Item`` in one go and leaves properties and context uncut. An event that does not fit
(an id that is an object, say) is read again field by field.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from ingest.event import KINDS, actor_id
from ingest.outcome import Outcome
from ingest.protocols import repair, tolerant
from ingest.protocols.call import Call, Reject
from ingest.protocols.envelope import NOTHING, Envelope, Refused, opened
from ingest.protocols.shape import groups_in, json_object, merged, named, with_page
from ingest.record import Record
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


class Sender(msgspec.Struct, frozen=True):
    """What the events of one request have in common."""

    kind: str | None  # where the path names it
    source: str
    user_agent: str
    received_at: int
    sent_at: int | None
    context: bytes  # the batch's own, laid under each event's; mostly empty


class RuleError(Exception):
    """A rule that one event broke; it does not leave this file."""

    def __init__(self, reason: Outcome, found: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = f"{found}: {reason.help}" if found else reason.help


_ITEM: Final = msgspec.json.Decoder(Item)
_SCALAR: Final = msgspec.json.Decoder(Scalar)
_KIND_OF_PATH: Final = {f"/v1/{kind}": kind for kind in KINDS}
_FAULTS: Final = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)


def decode(record: Record, mint: Mint, max_event_bytes: int) -> tuple[list[Call], list[Reject]]:
    """Calls and rejects of one request; never raises."""
    kind = _KIND_OF_PATH.get(record.path)
    found = opened(repair.text(record.body), kind is not None)
    if isinstance(found, Refused):
        return [], [Reject(found.reason, found.detail, None, record.body)]
    envelope, body = found
    if isinstance(envelope, Envelope) and envelope.batch is not None:
        items, sent_at, context = envelope.batch, _time(bytes(envelope.sent_at)), bytes(envelope.context)
    else:
        items, sent_at, context = [msgspec.Raw(body)], None, b""
    sender = Sender(kind, record.source, record.user_agent, record.received_at, sent_at, context)
    calls: list[Call] = []
    rejects: list[Reject] = []
    for number, raw in enumerate(items):
        outcome = _outcome(raw, sender, number, mint, max_event_bytes)
        if type(outcome) is Call:
            calls.append(outcome)
        else:
            rejects.append(outcome)  # type: ignore[arg-type]
    return calls, rejects


def _outcome(raw: msgspec.Raw, sender: Sender, number: int, mint: Mint, max_event_bytes: int) -> Call | Reject:
    item: Item | None = None
    try:
        try:
            item = _ITEM.decode(raw)
        except msgspec.ValidationError:
            item = _tolerated(bytes(raw))
            _check_ids(item, bytes(raw))
        if len(raw) > max_event_bytes:
            raise RuleError(Outcome.TOO_LARGE, f"{len(raw)} bytes; at most {max_event_bytes} are taken")
        return _call(item, sender, number, mint)
    except RuleError as broken:
        return Reject(broken.reason, broken.detail, None if item is None else text(item.message_id), bytes(raw))
    except _FAULTS as fault:
        return Reject(Outcome.UNREADABLE, f"{type(fault).__name__}: {fault}", None, bytes(raw))


def _call(item: Item, sender: Sender, number: int, mint: Mint) -> Call:
    kind = sender.kind or _kind(item.type)
    user, anonymous = identifier(item.user_id), identifier(item.anonymous_id)
    if user is None and (anonymous is None or kind == "alias"):
        raise _unnamed(item)
    context = json_object(item.context)
    if sender.context:
        context = merged(sender.context, context)
    seen = promoted(context, sender.user_agent)
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
        _required(item.previous_id, Outcome.MISSING_PREVIOUS) if kind == "alias" else identifier(item.previous_id),
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


def _tolerated(raw: bytes) -> Item:
    """An item of which some fields are not of their type: those are absent."""
    if not raw.startswith(b"{"):
        raise RuleError(Outcome.NOT_AN_OBJECT, repr(raw[:100]))
    return tolerant.read(raw, Item)


def _check_ids(item: Item, raw: bytes) -> None:
    """An id that is an object, a list or a truth value is no id, and must not pass for a missing one."""
    given = tolerant.FIELDS.decode(raw)
    ids = (item.user_id, item.anonymous_id, item.previous_id, item.group_id)
    for field, value in zip(("userId", "anonymousId", "previousId", "groupId"), ids, strict=True):
        if value is None and bytes(given.get(field, b"null")) != b"null":
            raise RuleError(Outcome.ILLEGAL_ID, f"{field} is {bytes(given[field])[:100]!r}")


def _time(raw: bytes) -> int | None:
    try:
        return micros(_SCALAR.decode(raw)) if raw else None
    except (msgspec.MsgspecError, ValueError):
        return None
