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


def context_of(given: Fields, group: tuple[str, str] | None, traits: msgspec.Raw, properties: bytes) -> msgspec.Raw:
    """``given`` is what an event has besides ids, time, name and properties."""
    own: dict[str, object] = {}  # of this event, whereas the rest is the same in thousands
    if "groups" in given:
        own["groups"] = given.pop("groups")
    if group is not None:
        own["groupId"] = group[1]
    if bytes(traits).startswith(b"{"):
        own["traits"] = traits
    if _PAGE in properties and (page := _page(properties)):
        own["page"] = page
    values = b"\0".join(map(bytes, given.values()))  # no JSON holds a NUL
    sender = (_remembered if len(values) <= _SMALL else _sender)(tuple(given), values)
    if not own:
        return msgspec.Raw(sender)
    inner = msgspec.json.encode(own)
    return msgspec.Raw(inner if sender == b"{}" else sender[:-1] + b"," + inner[1:])


def _sender(names: tuple[str, ...], values: bytes) -> bytes:
    given = dict(zip(names, map(msgspec.Raw, values.split(b"\0")), strict=True)) if names else {}
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


_remembered = lru_cache(maxsize=16_384)(_sender)  # as many as ``ingest.steps`` remembers


def first_group(given: Fields) -> tuple[str, str] | None:
    """Type and id of the group that an event names first: ``{"company": "acme"}``, ``{"company": ["acme", "b"]}``."""
    raw = bytes(given.get("groups", b""))
    return _first(raw) if raw.startswith(b"{") else None


@lru_cache(maxsize=4_096)
def _first(raw: bytes) -> tuple[str, str] | None:
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
    if b'"$' not in bytes(raw) or not bytes(raw).startswith(b"{"):
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


def _page(properties: bytes) -> _SaidPage | None:
    try:
        seen = _PAGES.decode(properties)
    except msgspec.ValidationError:
        return None
    url, referrer = seen.location or seen.url or None, seen.referrer or seen.previous or None
    page = _SaidPage(url, seen.path or None, seen.title or None, referrer)
    return None if page == _NO_PAGE else page
