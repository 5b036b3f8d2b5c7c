"""Who a Mixpanel event or profile is about: the same rule for what its SDKs send and for what it exports.

``$user_id`` is a user's id and ``$device_id`` anonymous; a ``distinct_id`` that begins with ``$device:`` is anonymous, so
is one that equals ``$device_id``; any other is a user's. ``$device:x`` is the anonymous id ``x``. ``$identify`` names
``$identified_id`` and ``$anon_id`` (SDKs: ``$anon_distinct_id``), ``$create_alias`` an ``alias``, ``$merge`` two
``$distinct_ids``: a device and a user are an identify, two users an alias.
"""

from __future__ import annotations

from collections.abc import Mapping

DEVICE = "$device:"
JOINS = frozenset(("$identify", "$create_alias", "$merge"))
SENT = "$distinct_id_before_identity"  # an export writes the id that a person has today as ``distinct_id``


def who(distinct: object, user: object, device: object) -> dict[str, object]:
    """``userId`` and ``anonymousId``; either may be None or missing."""
    if user is None and device is None:
        return {"anonymousId": bare(distinct)} if is_device(distinct) else {"userId": distinct}
    if user is None and not is_device(distinct) and distinct != device:
        user = distinct
    return {"userId": user, "anonymousId": bare(device)}


def joined(event: str, properties: Mapping[str, object]) -> dict[str, object]:
    """One of ``JOINS`` in Segment's terms."""
    if event == "$identify":
        user = properties.get("$identified_id") or properties.get("$user_id") or properties.get("distinct_id")
        anonymous = properties.get("$anon_id") or properties.get("$anon_distinct_id") or properties.get("$device_id")
        return {"type": "identify", "userId": user, "anonymousId": bare(anonymous), "traits": {}}
    if event == "$create_alias":
        return _one(properties.get(SENT) or properties.get("distinct_id"), properties.get("alias"), properties)
    pair = properties.get("$distinct_ids") or properties.get("distinct_ids")
    first, second = pair if isinstance(pair, list) and len(pair) == 2 else (None, None)
    return _one(first, second, properties)


def is_device(name: object) -> bool:
    return isinstance(name, str) and name.startswith(DEVICE)


def bare(name: object) -> object:
    return name.removeprefix(DEVICE) if isinstance(name, str) else name


def _one(first: object, second: object, properties: Mapping[str, object]) -> dict[str, object]:
    devices = [each for each in (first, second) if is_device(each)]
    users = [each for each in (first, second) if not is_device(each)]
    if devices and users:
        return {"type": "identify", "userId": users[0], "anonymousId": bare(devices[0]), "traits": {}}
    return {"type": "alias", "userId": first, "previousId": second, "anonymousId": None, "properties": properties}
