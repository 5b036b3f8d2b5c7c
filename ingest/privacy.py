"""What is left of an event where its source's policy takes something away: the address, or every id of its sender.

Only what stands where SDKs put it is found; what a page writes into its own properties is the page's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from ingest.policy import Without, address
from ingest.told import Told

ABOUT_PEOPLE: Final = ("identify", "alias", "group")  # calls that say nothing but who somebody is
_CONSENT: Final = (b'"consent"', b'"consentManagement"')
_ADDRESSES: Final = frozenset(("ip", "$ip"))
_IDS: Final = _ADDRESSES | frozenset(
    (
        *("userId", "anonymousId", "sessionId", "groupId", "groups", "traits", "advertisingId", "externalIds", "contexts"),
        *("user_id", "device_id", "session_id", "idfa", "idfv", "adid", "android_id", "user_properties", "groupProperties"),
        *(
            "distinct_id",
            "$distinct_id",
            "$user_id",
            "$device_id",
            "$session_id",
            "$window_id",
            "$anon_distinct_id",
            "alias",
        ),
        *("alias", "$identified_id", "$anon_id", "$distinct_ids", "$set", "$set_once", "$unset", "$groups", "$group_key"),
        *("$distinct_id_before_identity", "$email", "$phone", "duid", "nuid", "tnuid", "sid", "vid", "domain_userid"),
    )
)
_WITH_IDS: Final = ("device", "properties")  # objects of the context in which ids stand
_DEVICE_IDS: Final = frozenset(("id", "advertisingId", "token"))

_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def without(told: Told, context: bytes) -> Without:
    """Whether an event is stored as it is, without ids, or not: the strictest of what request and context ask for."""
    asked = (told.private, told.consent if told.consent != "store" and refused(context, told.consent_category) else "store")
    return "drop" if "drop" in asked else "anonymous" if "anonymous" in asked else "store"


def refused(context: bytes, category: str) -> bool:
    """Whether consent was refused: to the category (in small and large letters alike), or, where none is given, to all that
    are named. Read are Segment's ``consent.categoryPreferences`` and RudderStack's ``consentManagement``."""
    if not any(word in context for word in _CONSENT):
        return False
    said = msgspec.json.decode(context)
    given: dict[str, bool] = {}
    for name, agreed in _object(_object(said.get("consent")).get("categoryPreferences")).items():
        given[name] = agreed is not False
    managed = _object(said.get("consentManagement"))
    for field, agreed in (("allowedConsentIds", True), ("deniedConsentIds", False)):
        ids = managed.get(field)
        given |= {name: agreed for name in ids if isinstance(name, str)} if isinstance(ids, list) else {}
    if category:
        return any(name.lower() == category.lower() and not agreed for name, agreed in given.items())
    return bool(given) and not any(given.values())


def _object(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def without_ids(fields: bytes) -> bytes:
    """A context or properties without what tells who the sender is."""
    left = _without(fields, _IDS)
    found = _OBJECT.decode(left)
    within = {name: found[name] for name in _WITH_IDS if bytes(found.get(name, b"")).startswith(b"{")}
    if not within:
        return left
    changed = {name: msgspec.Raw(_without(bytes(raw), _IDS | _DEVICE_IDS)) for name, raw in within.items()}
    return msgspec.json.encode({**found, **changed})


def without_address(fields: bytes) -> bytes:
    return _without(fields, _ADDRESSES) if b'ip"' in fields else fields


def shortened(fields: bytes) -> bytes:
    """With each address in it shortened as by ``policy.address``."""
    return _changed(fields, lambda ip: address(ip, "truncate")) if b'ip"' in fields else fields


def with_address(context: bytes, ip: str) -> bytes:
    """The request's address, where the event has none."""
    if not ip or (b'"ip"' in context and "ip" in _OBJECT.decode(context)):
        return context
    field = b'"ip":' + msgspec.json.encode(ip)
    rest = context[1:].lstrip()
    return b"{" + field + (rest if rest.startswith(b"}") else b"," + rest)


def _without(fields: bytes, names: frozenset[str]) -> bytes:
    found = _OBJECT.decode(fields)
    if names.isdisjoint(found):
        return fields
    return msgspec.json.encode({name: raw for name, raw in found.items() if name not in names})


def _changed(fields: bytes, change: Callable[[str], str]) -> bytes:
    found: dict[str, object] = dict(_OBJECT.decode(fields))
    for name in _ADDRESSES & found.keys():
        try:
            found[name] = change(msgspec.json.decode(bytes(found[name]), type=str))  # type: ignore[call-overload]
        except msgspec.ValidationError:
            del found[name]  # a list or an object is no address
    return msgspec.json.encode(found)
