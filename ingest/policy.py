"""What is done with the events of a source, beyond storing them: a setting of the source, published with its keys.

The door writes it into the log beside each request (``told``), so that what an event becomes depends on its record alone:
a flush that does a group again after a crash decides as it did before, whatever was changed meanwhile, and so does a replay.
"""

from __future__ import annotations

import ipaddress
from typing import Final, Literal, get_args

import msgspec

Address = Literal["sent", "keep", "truncate", "drop"]
Without = Literal["store", "anonymous", "drop"]

ADDRESSES: Final[tuple[Address, ...]] = get_args(Address)
WITHOUT: Final[tuple[Without, ...]] = get_args(Without)
_BITS: Final = {4: 24, 6: 48}


class Policy(msgspec.Struct, frozen=True, omit_defaults=True):
    """The settings of a source.

    ``ip``: of the sender's address.
        sent      what an SDK writes into an event itself stays, the request's address is not added
        keep      as ``sent``; where an event has none, and its sender is a browser or a phone, the request's is added
        truncate  as ``keep``, but the last byte is 0 (of IPv6 all behind the first six)
        drop      none is stored, wherever in the event an SDK puts it
    ``do_not_track``: an event whose request says ``DNT: 1`` or ``Sec-GPC: 1`` is stored as it is, or without ids, or not.
    ``consent``: the same of an event whose context says that consent was refused.
    ``consent_category``: the one that must not be refused; empty: all that an event names.
    ``cookie``: whether Snowplow's cookie is set, by which a browser without an id of its own is known again.
    """

    ip: Address = "sent"
    do_not_track: Without = "store"
    consent: Without = "store"
    consent_category: str = ""
    cookie: bool = True


PLAIN: Final = Policy()


def address(ip: str, kept: Address) -> str:
    """What is kept of an address; of one that cannot be read nothing, where it is not kept whole.

    ``address("203.0.113.7", "truncate") == "203.0.113.0"``.
    """
    if kept in ("sent", "keep"):
        return ip
    if kept == "drop":
        return ""
    try:
        read = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return ""
    read = getattr(read, "ipv4_mapped", None) or read
    return str(ipaddress.ip_network((read, _BITS[read.version]), strict=False).network_address)
