"""What the door knows of a request that its body does not say, written into the log behind the endpoint's path.

``/v1/batch;country=DE&ip=truncate`` is ``/v1/batch`` with a mark; most requests have none. It stays in the path of a
rejected event, so that a replay does what was to be done when it came.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl, urlencode

import msgspec

from ingest.policy import PLAIN, Address, Policy, Without
from ingest.request import Request

MARK: Final = ";"
_NOWHERE: Final = ("XX", "T1")  # Cloudflare's words for an address of no country, and for Tor


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """``private``: what becomes of all events of this request, since its sender asked not to be tracked; the others are of
    the source's ``Policy``."""

    country: str = ""
    ip: Address = "sent"
    private: Without = "store"
    consent: Without = "store"
    consent_category: str = ""


NOTHING: Final = Told()


def beside(policy: Policy, request: Request, country_header: bytes) -> Told:
    """What is to be told of a request; nearly always NOTHING."""
    if policy is PLAIN and not country_header:
        return NOTHING
    country = _country(request.header(country_header)) if country_header else ""
    private = policy.do_not_track if _asked_not_to_be_tracked(request) else "store"
    return Told(country, policy.ip, private, policy.consent, policy.consent_category if policy.consent != "store" else "")


def mark(told: Told) -> str:
    """What stands behind the path."""
    return "" if told is NOTHING else _mark(told)


@lru_cache(maxsize=4_096)
def _mark(told: Told) -> str:
    fields = urlencode(msgspec.to_builtins(told))
    return f"{MARK}{fields}" if fields else ""


def parted(path: str) -> tuple[str, Told | None]:
    """A path of the log without its mark, and what that says."""
    before, found, behind = path.partition(MARK)
    if not found:
        return path, None
    marks, question, kept = behind.partition("?")
    return f"{before}{question}{kept}", _read(marks)


def plain(path: str) -> str:
    """Without the mark, and without what a family keeps of the query."""
    return path.partition(MARK)[0].partition("?")[0]


@lru_cache(maxsize=4_096)
def _read(marks: str) -> Told:
    return msgspec.convert(dict(parse_qsl(marks)), Told)


def _country(given: bytes | None) -> str:
    code = (given or b"").strip().upper().decode("latin-1")
    return code if len(code) == 2 and code.isascii() and code.isalpha() and code not in _NOWHERE else ""


def _asked_not_to_be_tracked(request: Request) -> bool:
    return b"1" in (request.header(b"dnt"), request.header(b"sec-gpc"))
