"""What of a Mixpanel event's properties has a meaning: ids, time, and what is context in Segment's words."""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

import msgspec

from ingest.protocols import tolerant
from ingest.scalar import Scalar

_NOTHING: Final = (None, "", "$direct")
_TOKEN: Final = b'"token"'
_ESCAPE: Final = ord("\\")


class Where(msgspec.Struct, gc=False):
    """From where an event came."""

    url: Scalar = msgspec.field(default=None, name="$current_url")
    plain_url: Scalar = msgspec.field(default=None, name="current_url")
    title: Scalar = msgspec.field(default=None, name="current_page_title")
    referrer: Scalar = msgspec.field(default=None, name="$referrer")
    utm_source: Scalar = None
    utm_medium: Scalar = None
    utm_campaign: Scalar = None
    utm_term: Scalar = None
    utm_content: Scalar = None
    lib: Scalar = msgspec.field(default=None, name="mp_lib")
    lib_version: Scalar = msgspec.field(default=None, name="$lib_version")
    os: Scalar = msgspec.field(default=None, name="$os")
    os_version: Scalar = msgspec.field(default=None, name="$os_version")
    browser: Scalar = msgspec.field(default=None, name="$browser")
    browser_version: Scalar = msgspec.field(default=None, name="$browser_version")
    manufacturer: Scalar = msgspec.field(default=None, name="$manufacturer")
    model: Scalar = msgspec.field(default=None, name="$model")
    app_version: Scalar = msgspec.field(default=None, name="$app_version_string")
    app_build: Scalar = msgspec.field(default=None, name="$app_build_number")
    country: Scalar = msgspec.field(default=None, name="mp_country_code")
    city: Scalar = msgspec.field(default=None, name="$city")
    region: Scalar = msgspec.field(default=None, name="$region")
    locale: Scalar = msgspec.field(default=None, name="$locale")
    user_agent: Scalar = msgspec.field(default=None, name="$user_agent")
    ip: Scalar = msgspec.field(default=None, name="$ip")
    plain_ip: Scalar = msgspec.field(default=None, name="ip")


class Seen(Where, gc=False):
    token: Scalar = None
    distinct_id: Scalar = None
    user_id: Scalar = msgspec.field(default=None, name="$user_id")
    device_id: Scalar = msgspec.field(default=None, name="$device_id")
    insert_id: Scalar = msgspec.field(default=None, name="$insert_id")
    time: Scalar = None


Ids = tuple[object, object, object]  # the distinct id, the user, the device: whatever stands there

_IDS: Final = ("distinct_id", "$user_id", "$device_id")
_SEEN: Final = msgspec.json.Decoder(Seen)
_ANY: Final = msgspec.json.Decoder()
_WHERE: Final = Where.__struct_fields__  # the first of ``Seen``'s


def read(properties: bytes) -> tuple[Seen, Ids]:
    """``properties`` is a JSON object; what is not of its type is absent, but for the ids."""
    try:
        seen = _SEEN.decode(properties)
        return seen, (seen.distinct_id, seen.user_id, seen.device_id)
    except msgspec.ValidationError:
        given = tolerant.FIELDS.decode(properties)
        distinct, user, device = (_ANY.decode(given[name]) if name in given else None for name in _IDS)
        return tolerant.read(properties, Seen), (distinct, user, device)


def without_token(properties: bytes, token: Scalar) -> bytes:
    """The write key is nobody's property. Where its name stands once, it is cut out of the text."""
    at = properties.find(_TOKEN)
    if token is None and at < 0:
        return properties
    if type(token) is str and at > 0 > properties.find(_TOKEN, at + 1) and _ESCAPE not in properties:
        for written, start in zip(_written(token), (at - 1, at), strict=True):
            end = start + len(written)
            if properties.startswith(written, start) and properties[end : end + 1] in (b",", b"}", b'"'):
                return properties[:start] + properties[end:]
    given = tolerant.FIELDS.decode(properties)
    given.pop("token", None)
    return msgspec.json.encode(given)


@lru_cache(maxsize=1_024)
def _written(token: str) -> tuple[bytes, bytes]:
    pair = _TOKEN + b":" + msgspec.json.encode(token)
    return b"," + pair, pair + b","


def context_of(seen: Seen) -> bytes:
    return _context(msgspec.structs.astuple(seen)[: len(_WHERE)])


@lru_cache(maxsize=8_192)  # a visitor's page, or a server, says the same of itself in each of its events
def _context(where: tuple[Scalar, ...]) -> bytes:
    said = dict(zip(_WHERE, where, strict=True))
    url = next((said[name] for name in ("url", "plain_url") if said[name] not in _NOTHING), None)
    ip = said["ip"] if said["ip"] is not None else said["plain_ip"]
    context: dict[str, object] = {
        "page": _some(url=url, title=said["title"], referrer=said["referrer"], path=_path(url)),
        "campaign": _some(
            source=said["utm_source"],
            medium=said["utm_medium"],
            name=said["utm_campaign"],
            term=said["utm_term"],
            content=said["utm_content"],
        ),
        "library": _some(name=said["lib"], version=said["lib_version"]),
        "os": _some(name=said["os"], version=said["os_version"]),
        "browser": _some(name=said["browser"], version=said["browser_version"]),
        "device": _some(manufacturer=said["manufacturer"], model=said["model"]),
        "app": _some(version=said["app_version"], build=said["app_build"]),
        "location": _some(country=said["country"], city=said["city"], region=said["region"]),
        "locale": said["locale"],
        "userAgent": said["user_agent"],
        "ip": ip,
    }
    return msgspec.json.encode({name: value for name, value in context.items() if value is not None})


def _some(**fields: Scalar) -> dict[str, Scalar] | None:
    return {name: value for name, value in fields.items() if value not in _NOTHING} or None


def _path(url: Scalar) -> str | None:
    try:
        return urlsplit(url).path or "/" if isinstance(url, str) else None
    except ValueError:
        return None
