"""One event of Snowplow's tracker protocol as an ``Item``. Its values are texts, its JSON is text or base64 within them.

==========  ============================  ==========================================================
``e``       becomes                       its properties
==========  ============================  ==========================================================
pv          a page call                   url, title, referrer
pp          track ``page_ping``           how far the page was scrolled: minXOffset, maxXOffset, ...
se          track, named by its action    category, action, label, property, value
ue          track, named by its schema    the data of the self-describing event, as they are
tr, ti      track ``transaction``, ``transaction_item``: order_id, total, sku, price, quantity ...
==========  ============================  ==========================================================

A self-describing event whose schema is named ``identify`` is an identify and its data are traits. ``uid`` is a user's id;
``duid`` is anonymous, else the ``userId`` of the entity ``client_session``, else what the network knows the sender by
(``nuid``, the cookie). Where an event has both ids, the device becomes the user's, as Snowplow's own models stitch them. Who
is anonymous by choice goes by the session, and without one each event stands alone: no id is given to strangers in common.

Entities (``co``, ``cx``) are ``context.contexts``, as sent; whatever else an event has stands in the context under its name.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from ingest.outcome import Outcome
from ingest.protocols import repair, tolerant
from ingest.protocols.assemble import Item, RuleError, Said
from ingest.scalar import Scalar, text
from ingest.times import SECOND, micros

Fields = dict[str, msgspec.Raw | str]  # as texts where all are
Entities = dict[str, Fields]
T = TypeVar("T")

_PINGED: Final = {"pp_mix": "minXOffset", "pp_max": "maxXOffset", "pp_miy": "minYOffset", "pp_may": "maxYOffset"}
_SAID: Final = {"se_ca": "category", "se_ac": "action", "se_la": "label", "se_pr": "property", "se_va": "value"}
_ORDERED: Final = {
    "tr_id": "order_id", "tr_af": "affiliation", "tr_tt": "total", "tr_tx": "tax", "tr_sh": "shipping",
    "tr_ci": "city", "tr_st": "state", "tr_co": "country", "tr_cu": "currency",
}  # fmt: skip
_BOUGHT: Final = {
    "ti_id": "order_id", "ti_sk": "sku", "ti_nm": "name", "ti_ca": "category",
    "ti_pr": "price", "ti_qu": "quantity", "ti_cu": "currency",
}  # fmt: skip
_NUMBERS: Final = frozenset((*_PINGED, "se_va", "tr_tt", "tr_tx", "tr_sh", "ti_pr", "ti_qu"))
_TRACKED: Final = {"pp": ("page_ping", _PINGED), "tr": ("transaction", _ORDERED), "ti": ("transaction_item", _BOUGHT)}
_READ: Final = ("client_session", "mobile_context", "application")  # the entities with a meaning here
_SMALL: Final = 2_048  # bytes; a sender says half as much
_MILLISECONDS: Final = 13  # digits
_PLAIN: Final = bytes.maketrans(b"-_ ", b"+/+")

_SCALAR: Final = msgspec.json.Decoder(Scalar)


class _Described(msgspec.Struct, gc=False):
    """``{"schema": "iglu:vendor/name/jsonschema/1-0-0", "data": ...}``"""

    schema: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")  # written as it is, so that it must be JSON


class _Unstruct(msgspec.Struct, gc=False):
    """The envelope of a self-describing event: ``{"schema": "iglu:.../unstruct_event/...", "data": {"schema", "data"}}``"""

    data: _Described
    schema: str = ""


class _Contexts(msgspec.Struct, gc=False):
    """That of entities: ``{"schema": "iglu:.../contexts/...", "data": [{"schema", "data"}, ...]}``"""

    data: list[_Described]
    schema: str = ""


_TEXTS: Final[msgspec.json.Decoder[Fields]] = msgspec.json.Decoder(dict[str, str])
_ANY: Final = msgspec.json.Decoder()
_DESCRIBED: Final = msgspec.json.Decoder(_Described)
_UNSTRUCT: Final = msgspec.json.Decoder(_Unstruct)
_CONTEXTS: Final = msgspec.json.Decoder(_Contexts)


def read(raw: msgspec.Raw, visitor: str | None, unnamed: Callable[[], str]) -> Item:
    """Raises ``RuleError`` and what ``assemble.FAULTS`` lists, as does ``item_of``.

    Its trackers send texts and nothing else; what others put there stays uncut.
    """
    try:
        given = _TEXTS.decode(raw)
    except (msgspec.ValidationError, UnicodeDecodeError):
        if not bytes(raw).startswith(b"{"):
            raise RuleError(Outcome.NOT_AN_OBJECT, repr(bytes(raw)[:100])) from None
        given = dict(tolerant.FIELDS.decode(raw))
    return item_of(given, visitor, unnamed)


def item_of(given: Fields, visitor: str | None, unnamed: Callable[[], str]) -> Item:
    """``visitor`` is the request's cookie, None where its sender is to stay unknown; ``unnamed`` names an event without an
    id. What ``given`` holds is taken out of it."""
    item = Said(message_id=_take(given, "eid"))
    described = _take_entities(given)
    entities = _read_of(described) if described else {}
    _put_times(item, given)
    session = _put_sender(item, given, entities, visitor, unnamed)
    kind = text(_take(given, "e")) or ""
    if kind == "ue":
        _describe(item, given)
    elif kind == "pv":
        item.type = "page"
        item.properties = _object({"url": given.get("url"), "title": given.get("page"), "referrer": given.get("refr")})
    elif kind == "se":
        item.type, item.event = "track", _scalar(given.get("se_ac"))
        item.properties = _named(given, _SAID)
    elif kind in _TRACKED:
        item.type = "track"
        item.event, names = _TRACKED[kind]
        item.properties = _named(given, names)
    else:
        item.type = kind or None
    item.said = _context_of(given, session, entities, bool(described))
    if described:
        item.context = msgspec.Raw(_with(item.said, described))
    return item


def _put_times(item: Item, given: Fields) -> None:
    """A true time (``ttm``) is not corrected by the sender's clock. Some trackers cut ``stm`` to a second: never before
    ``dtm`` by that alone."""
    true = _take(given, "ttm")
    if true is not None:
        item.timestamp = true
        return
    item.timestamp, item.sent_at = _take(given, "dtm"), _take(given, "stm")
    if _in_order(item.timestamp, item.sent_at):
        return
    made, sent = micros(item.timestamp), micros(item.sent_at)
    if made is not None and sent is not None and made - SECOND < sent < made:
        item.sent_at = item.timestamp


def _in_order(made: Scalar, sent: Scalar) -> bool:
    """Of two times in milliseconds, as nearly all are, without reading them."""
    return (
        type(made) is str
        and type(sent) is str
        and made <= sent
        and len(made) == len(sent) == _MILLISECONDS
        and (made + sent).isdecimal()
        and (made + sent).isascii()
    )


def _put_sender(item: Item, given: Fields, entities: Entities, visitor: str | None, unnamed: Callable[[], str]) -> Scalar:
    """The session."""
    item.user_id = _take(given, "uid")
    device, network = _take(given, "duid"), _take(given, "tnuid") or _take(given, "nuid")
    session = _take(given, "sid")
    if told := entities.get("client_session"):
        device, session = device or _scalar(told.get("userId")), session or _scalar(told.get("sessionId"))
    item.anonymous_id = item.previous_id = device
    if text(item.user_id) is None and text(item.anonymous_id) is None:
        own = network or visitor or session
        item.anonymous_id = own if isinstance(own, str) else text(item.message_id) or unnamed()
    return session


def _describe(item: Item, given: Fields) -> None:
    """A self-describing event: within the envelope ``unstruct_event`` there is another, the event itself."""
    whole = _at_once(given.get("ue_pr"), _UNSTRUCT)
    if whole is not None and _name(whole.schema) == "unstruct_event" and _is_strict(whole.data):
        inner = whole.data
        del given["ue_pr"]
    else:
        inner = _looked_at(given, text(item.message_id))
    name = _name(inner.schema)
    item.type, item.event = ("identify", None) if name == "identify" else ("track", name)
    item.properties = item.traits = inner.data


def _looked_at(given: Fields, event_id: str | None) -> _Described:
    """The event itself, of whatever may stand there; raises ``RuleError``."""
    found = _json(given, "ue_pr", "ue_px")
    if found is None:
        raise RuleError(Outcome.UNREADABLE, "ue_pr or ue_px is no JSON, or missing", event_id)
    try:
        outer = _DESCRIBED.decode(found)
        return _DESCRIBED.decode(outer.data) if _name(outer.schema) == "unstruct_event" else outer
    except msgspec.MsgspecError as fault:
        raise RuleError(Outcome.UNREADABLE, f"a self-describing event needs schema and data ({fault})", event_id) from None


def _take_entities(given: Fields) -> list[_Described]:
    """What cannot be read stays as it was sent."""
    found: list[_Described] = []
    for field, decode in (("co", str.encode), ("cx", _from_base64)):
        if (raw := given.get(field)) is not None and (entities := _entities(raw, decode)) is not None:
            found += entities
            del given[field]
    return found


def _entities(raw: msgspec.Raw | str, decode: Callable[[str], bytes]) -> list[_Described] | None:
    whole = _at_once(raw, _CONTEXTS)
    if whole is not None and all(map(_is_strict, whole.data)):
        return whole.data
    document = _document(raw, decode)
    try:
        return None if document is None else _CONTEXTS.decode(document).data
    except msgspec.MsgspecError:
        return None


def _read_of(described: list[_Described]) -> Entities:
    """The entities with a meaning here: the first of each name."""
    return {name: _fields(bytes(one.data)) for one in reversed(described) if (name := _name(one.schema)) in _READ}


def _context_of(given: Fields, session: Scalar, entities: Entities, described: bool) -> bytes:
    """The context but for the entities, which differ from event to event; a sender says the rest with each of them."""
    if described:
        given.pop("contexts", None)
    if entities:
        return _context(given, session, entities.get("mobile_context", {}), entities.get("application", {}))
    encoded = msgspec.json.encode(given)
    return _remembered(encoded, session) if len(encoded) <= _SMALL else _context(given, session, {}, {})


@lru_cache(maxsize=16_384)  # as many as ``ingest.steps`` remembers
def _remembered(encoded: bytes, session: Scalar) -> bytes:
    return _context(dict(tolerant.FIELDS.decode(encoded)), session, {}, {})


def _context(given: Fields, session: Scalar, phone: Fields, app: Fields) -> bytes:
    context: dict[str, object] = {"sessionId": session}
    _put_context(context, given, phone, app)
    return msgspec.json.encode(context | {name: raw for name, raw in given.items() if name not in context})


def _with(context: bytes, described: list[_Described]) -> bytes:
    entities = b'"contexts":' + msgspec.json.encode(described) + b"}"
    return b"{" + entities if context == b"{}" else context[:-1] + b"," + entities


def _put_context(context: dict[str, object], given: Fields, phone: Fields, app: Fields) -> None:
    page, url = {name: given.get(field) for name, field in _PAGE.items()}, _scalar(given.get("url"))
    for name in _PAGE.values():
        given.pop(name, None)
    app_id = text(_take(given, "aid"))
    name, _, version = (text(_take(given, "tv")) or "").partition("-")
    objects: dict[str, Mapping[str, object]] = {
        "page": {**page, "path": _path(url)},
        "library": {"name": f"snowplow-{name}" if name else None, "version": version or None},
        "app": {  # a write key is no app's name
            "id": None if app_id is None or app_id.startswith("jw_") else app_id,
            "namespace": _take(given, "tna"),
            "version": app.get("version"),
            "build": app.get("build"),
        },
        "os": {"name": phone.get("osType"), "version": phone.get("osVersion")},
        "device": {
            "type": "mobile" if _scalar(given.get("p")) == "mob" else None,
            "manufacturer": phone.get("deviceManufacturer"),
            "model": phone.get("deviceModel"),
        },
    }
    context |= {"locale": _take(given, "lang"), "timezone": _take(given, "tz"), "userAgent": _take(given, "ua")}
    context |= {name: _without_nothing(found) for name, found in objects.items()}
    for name in [name for name, value in context.items() if value in (None, {})]:
        del context[name]


_PAGE: Final = {"url": "url", "title": "page", "referrer": "refr"}


def _named(given: Fields, names: Mapping[str, str]) -> msgspec.Raw:
    return _object({names[field]: _number(given.pop(field), field) for field in [*names] if field in given})


def _number(raw: msgspec.Raw | str, field: str) -> object:
    """``"2.5"`` is 2.5 where a number is meant."""
    value = _scalar(raw)
    if field not in _NUMBERS or not isinstance(value, str):
        return raw
    try:
        number = msgspec.json.decode(value.strip(), type=int | float)
    except msgspec.MsgspecError:
        return raw
    return number


def _object(found: Mapping[str, object]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(_without_nothing(found)))


def _without_nothing(found: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in found.items() if value is not None}


def _at_once(given: msgspec.Raw | str | None, decoder: msgspec.json.Decoder[T]) -> T | None:
    """A document that stands in a text, as nearly always; None where there is more to it, such as an escape or base64."""
    if type(given) is not str or not given.startswith("{") or "\\" in given:
        return None
    try:
        return decoder.decode(given)
    except (msgspec.MsgspecError, RecursionError):
        return None


def _is_strict(described: _Described) -> bool:
    """Whether its data, uncut until now, hold no number that none can read."""
    try:
        _ANY.decode(described.data)
    except msgspec.MsgspecError:
        return False
    return True


def _json(given: Fields, plain: str, encoded: str) -> bytes | None:
    """Takes a document out that is given as text or as base64 (the URL's alphabet or the other, padded or not)."""
    for field, decode in ((plain, str.encode), (encoded, _from_base64)):
        if field in given and (document := _document(given[field], decode)) is not None:
            del given[field]
            return document
    return None


def _document(raw: msgspec.Raw | str, decode: Callable[[str], bytes]) -> bytes | None:
    """What stands in a text, or in the place of one: an object as it is."""
    value = _scalar(raw)
    if isinstance(value, str) and (document := _strict(decode(value))) is not None:
        return document
    return bytes(raw) if isinstance(raw, msgspec.Raw) and bytes(raw).startswith(b"{") else None


def _from_base64(value: str) -> bytes:
    digits = value.encode().strip().translate(_PLAIN).rstrip(b"=")
    try:
        return base64.b64decode(digits + b"=" * (-len(digits) % 4), validate=True)
    except binascii.Error:
        return b""


def _strict(document: bytes) -> bytes | None:
    document = repair.text(document)
    try:
        _ANY.decode(document)
    except (msgspec.MsgspecError, RecursionError):
        return repair.grammar(document)
    return document


@lru_cache(maxsize=4_096)
def _name(schema: str) -> str:
    """``order`` of ``iglu:com.acme/order/jsonschema/1-0-0``; what is no such address names itself."""
    parts = schema.removeprefix("iglu:").split("/")
    return parts[1] if len(parts) == 4 else schema


def _fields(data: bytes) -> Fields:
    return dict(tolerant.FIELDS.decode(data)) if data.startswith(b"{") else {}


def _path(url: Scalar) -> str | None:
    try:
        return urlsplit(url).path or "/" if isinstance(url, str) and url else None
    except ValueError:
        return None


def _take(given: Fields, name: str) -> Scalar:
    """Takes the field out; one that is an object or a list stays, so that the context keeps it."""
    raw = given.get(name)
    if type(raw) is str:  # nearly always
        del given[name]
        return raw
    if raw is None:
        return None
    value = _scalar(raw)
    if value is not None:
        del given[name]
    return value


def _scalar(raw: msgspec.Raw | str | None) -> Scalar:
    if raw is None or isinstance(raw, str):
        return raw
    try:
        value: Scalar = _SCALAR.decode(raw)
    except msgspec.ValidationError:
        return None
    return value
