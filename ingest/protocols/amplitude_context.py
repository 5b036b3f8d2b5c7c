"""The fields of an Amplitude event besides its properties, as a context in Segment's terms (see ``ingest.steps``)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from ingest.protocols import tolerant
from ingest.protocols.envelope import NOTHING
from ingest.scalar import Scalar, text

Fields = dict[str, msgspec.Raw]
Groups = dict[str, Scalar | list[Scalar]]

_FOLDERS: Final = {  # in which object of the context a field stands, and how it is called there
    "app_version": ("app", "version"),
    "device_brand": ("device", "brand"),
    "device_manufacturer": ("device", "manufacturer"),
    "device_model": ("device", "model"),
    "country": ("location", "country"),
    "region": ("location", "region"),
    "city": ("location", "city"),
    "location_lat": ("location", "latitude"),
    "location_lng": ("location", "longitude"),
    "os_name": ("os", "name"),
    "os_version": ("os", "version"),
}
_NAMES: Final = {"language": "locale", "user_agent": "userAgent", "ip": "ip"}
_PHONES: Final = (b'"iOS"', b'"Android"')
_REMOTE: Final = b'"$remote"'  # "as the server sees it"
_NO_SESSION: Final = b"-1"
_SMALL: Final = 2_048  # bytes; a sender says half as much
_PAGE: Final = b'"[Amplitude] Page'

_GROUPS: Final = msgspec.json.Decoder(Groups)


class _Page(
    msgspec.Struct,
    rename={"location": "[Amplitude] Page Location", "url": "[Amplitude] Page URL", "path": "[Amplitude] Page Path",
            "title": "[Amplitude] Page Title", "previous": "[Amplitude] Previous Page Location"},
    gc=False,
):  # fmt: skip
    location: str | None = None  # the whole URL; ``url`` is without its query
    url: str | None = None
    path: str | None = None
    title: str | None = None
    referrer: str | None = None
    previous: str | None = None  # of the same site, too


class _SaidPage(msgspec.Struct, omit_defaults=True, gc=False):
    url: str | None = None
    path: str | None = None
    title: str | None = None
    referrer: str | None = None


_PAGES: Final = msgspec.json.Decoder(_Page)
_NO_PAGE: Final = _SaidPage()


class Beside(msgspec.Struct, frozen=True, gc=False):
    """What an event has besides ids, time, name and properties, as part of a context; the same in thousands of events.

    ``group`` is type and id of the group that it names first: ``{"company": "acme"}``, ``{"company": ["acme", "b"]}``.
    """

    sender: bytes
    context: bytes  # the same with ``own``
    own: dict[str, object]  # the groups, which stand behind the sender and before what is the event's own
    group: tuple[str, str] | None


def beside_of(given: Fields) -> Beside:
    """``given``: its fields, uncut."""
    encoded = msgspec.json.encode(given)
    return (_remembered if len(encoded) <= _SMALL else _beside)(encoded)


def context_of(beside: Beside, traits: msgspec.Raw, properties: bytes) -> bytes:
    page = _page(properties) if _PAGE in properties else None
    if traits is NOTHING or not bytes(traits).startswith(b"{"):
        if page is None:
            return beside.context
        return (_paged if len(properties) <= _SMALL else _with_page)(beside.context, msgspec.structs.astuple(page))
    own = beside.own | {"traits": traits}
    said = None if page is None else _said(page)
    return _joined(beside.sender, own if said is None else own | {"page": said})


def _with_page(context: bytes, page: tuple[str | None, ...]) -> bytes:
    said = _said(_Page(*page))
    return context if said is None else _joined(context, {"page": said})


_paged = lru_cache(maxsize=16_384)(_with_page)  # gives the very same bytes each time, whose columns are then found faster


def _joined(context: bytes, own: dict[str, object]) -> bytes:
    if not own:
        return context
    inner = msgspec.json.encode(own)
    return inner if context == b"{}" else context[:-1] + b"," + inner[1:]


def _beside(encoded: bytes) -> Beside:
    given = tolerant.FIELDS.decode(encoded)
    group, own = first_group(given), dict[str, object]()
    if "groups" in given:
        own["groups"] = given.pop("groups")
    if group is not None:
        own["groupId"] = group[1]
    sender = _sender(given)
    return Beside(sender, _joined(sender, own), own, group)


_remembered = lru_cache(maxsize=16_384)(_beside)  # as many as ``ingest.steps`` remembers


def _sender(given: Fields) -> bytes:
    for own in ("groupId", "traits", "page"):
        given.pop(own, None)
    context: dict[str, object] = {}
    browser = bytes(given.get("platform", b"")) == b'"Web"'
    for name in [name for name in given if name in _FOLDERS]:
        if not (browser and name.startswith("os_")) and bytes(given[name]) != _REMOTE:  # older browser SDKs: "Chrome"
            folder, inner = _FOLDERS[name]
            objects = context.setdefault(folder, {})
            assert isinstance(objects, dict)
            objects[inner] = given.pop(name)
    for name in [name for name in given if name in _NAMES]:
        if bytes(given[name]) != _REMOTE:
            context[_NAMES[name]] = given.pop(name)
    _put_device_and_session(context, given)
    _put_library(context, given)
    return msgspec.json.encode(context | {name: raw for name, raw in given.items() if name not in context})


def first_group(given: Fields) -> tuple[str, str] | None:
    raw = bytes(given.get("groups", b""))
    if not raw.startswith(b"{"):
        return None
    try:
        groups = _GROUPS.decode(raw)
    except msgspec.ValidationError:
        return None
    for kind, ids in groups.items():
        found = text(ids[0] if isinstance(ids, list) and ids else None if isinstance(ids, list) else ids)
        if found is not None:
            return kind, found
    return None


def operated(raw: msgspec.Raw) -> msgspec.Raw:
    """Properties of a user or group as traits: what is ``$set`` as its own field, what is ``$unset`` as null, and what is
    ``$setOnce`` under the name that others have for it, ``$set_once``."""
    if raw is NOTHING or b'"$' not in (given := bytes(raw)) or not given.startswith(b"{"):
        return raw
    traits: dict[str, object] = {}
    for name, value in tolerant.FIELDS.decode(raw).items():
        if name in ("$set", "$unset") and bytes(value).startswith(b"{"):
            fields = tolerant.FIELDS.decode(value)
            traits.update(fields if name == "$set" else dict.fromkeys(fields))
        else:
            traits["$set_once" if name == "$setOnce" else name] = value
    return msgspec.Raw(msgspec.json.encode(traits))


def _put_device_and_session(context: dict[str, object], given: Fields) -> None:
    if bytes(given.get("platform", b"")) in _PHONES:
        device = context.setdefault("device", {})
        assert isinstance(device, dict)
        device["type"] = given["platform"]
    session = given.pop("session_id", NOTHING)
    if bytes(session) not in (b"", b"null", _NO_SESSION):
        context["sessionId"] = session


def _put_library(context: dict[str, object], given: Fields) -> None:
    """``amplitude-ts/2.47.1``"""
    try:
        library = msgspec.json.decode(given.get("library", b"null"), type=str)
    except msgspec.MsgspecError:
        return
    name, _, version = library.rpartition("/")
    context["library"] = {"name": name, "version": version} if name else {"name": library}


def _page(properties: bytes) -> _Page | None:
    try:
        return _PAGES.decode(properties)
    except msgspec.ValidationError:
        return None


def _said(seen: _Page) -> _SaidPage | None:
    url, referrer = seen.location or seen.url or None, seen.referrer or seen.previous or None
    page = _SaidPage(url, seen.path or None, seen.title or None, referrer)
    return None if page == _NO_PAGE else page
