"""What a request says besides its events, kept with each event of it that is rejected: so that a replay reads the same.

It stands behind the path in ``rejected.path``, as a query whose names begin with ``~`` (no family keeps such names): the
sender's address and user agent, and of the body's own fields those that its events are read by, with the name of their list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode

import msgspec

from ingest.protocols import envelope, repair
from ingest.protocols.envelope import NOTHING, Refused
from ingest.record import Record

_LONGEST: Final = 8_192  # bytes of the body's own fields: they are kept with each event
_IP, _AGENT, _LIST, _FIELDS = "~ip", "~ua", "~list", "~fields"


class _Around(msgspec.Struct, gc=False):
    """Segment's and RudderStack's, PostHog's, Amplitude's."""

    batch: msgspec.Raw = NOTHING
    events: msgspec.Raw = NOTHING
    context: msgspec.Raw = NOTHING
    sent_at: msgspec.Raw = NOTHING
    camel_sent_at: msgspec.Raw = msgspec.field(default=NOTHING, name="sentAt")
    client_upload_time: msgspec.Raw = NOTHING


_AROUND: Final = msgspec.json.Decoder(_Around)


@dataclass(frozen=True, slots=True)
class Asked:
    """``path``: as the family logs it. ``around``: what stood before and behind the events, where that is known."""

    path: str
    ip: str = ""
    user_agent: str = ""
    around: tuple[bytes, bytes] | None = None


def path_of(record: Record, whole: bool) -> str:
    """The path to keep with a reject; ``whole``: it keeps the whole body, of which no field is lost."""
    path = record.path.partition("#")[0]
    said = {_IP: record.ip, _AGENT: record.user_agent, **({} if whole else _around(record.body))}
    query = urlencode({name: value for name, value in said.items() if value})
    return path if not query else f"{path}{'&' if '?' in path else '?'}{query}"


def asked(path: str) -> Asked:
    """What ``path_of`` kept; of a row that an earlier release rejected, the path alone."""
    start, _, query = path.partition("?")
    own = [part for part in query.split("&") if part and not part.startswith("%7E") and not part.startswith("~")]
    said = dict(parse_qsl(query))
    name, fields = said.get(_LIST), said.get(_FIELDS, "")
    around = None if name is None else (f'{{"{name}":['.encode(), f"]{fields}}}".encode())
    plain = f"{start}?{'&'.join(own)}" if own else start
    return Asked(plain, said.get(_IP, ""), said.get(_AGENT, ""), around)


def _around(body: bytes) -> dict[str, str]:
    found = envelope.strictly(repair.text(body), _AROUND.decode)
    if isinstance(found, Refused):
        return {}
    head = found[0]
    name = "batch" if head.batch is not NOTHING else "events" if head.events is not NOTHING else ""
    given = {"context": head.context, "sent_at": head.sent_at, "sentAt": head.camel_sent_at}
    given["client_upload_time"] = head.client_upload_time
    for left_out in ((), ("context",)):
        fields = "".join(
            f',"{field}":{bytes(raw).decode()}'
            for field, raw in given.items()
            if raw is not NOTHING and field not in left_out and len(raw) <= _LONGEST
        )
        if len(fields) <= _LONGEST:
            break
    return {_LIST: name, _FIELDS: fields} if name else {}
