"""The Segment HTTP tracking API: ``/v1/{track,identify,group,page,screen,alias,batch,import}``.

Its SDKs' own paths, and what their users make of a base URL, are one: ``/v1/t`` and ``/v1/track/`` are ``/v1/track``;
``/b``, ``/v1/batch/b`` and ``/v1/batch/v1/batch`` are ``/v1/batch``. Never a redirect: one SDK drops what it sent, another
dies in the preflight.

Facts: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/ and what its SDKs were seen to send.
The fast path reads an event into ``Item`` in one go and leaves properties and context uncut. An event that does not fit
(an id that is an object, say) is read again field by field.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from ingest import answers
from ingest.actor import KINDS
from ingest.answers import Answer, json_answer
from ingest.browser_settings import settings_for
from ingest.outcome import Outcome
from ingest.protocols import envelope, repair, tolerant
from ingest.protocols.assemble import Item, Mint, RuleError, Sender, moment, one_by_one
from ingest.protocols.call import Reject
from ingest.protocols.envelope import Refused
from ingest.protocols.family import Arrived, Asked, Decoded, Opened
from ingest.record import Record
from ingest.scalar import text

ReadItem = Callable[[msgspec.Raw], Item]

METRICS: Final = "/v1/m"  # analytics-next's reports about itself: taken and thrown away
_LETTERS: Final = {"t": "track", "i": "identify", "g": "group", "p": "page", "s": "screen", "a": "alias", "b": "batch"}
_NAMES: Final = (*KINDS, "batch", "import")
_BATCHES: Final = ("batch", "b", "import")
_SETTINGS: Final = re.compile(r"(?:/v1)?/(?:projects/)?projects/([^/]+)/settings")


def _table() -> dict[str, str]:
    ends = {name: f"/v1/{name}" for name in _NAMES} | {letter: f"/v1/{name}" for letter, name in _LETTERS.items()}
    paths = {f"/v1/{end}": path for end, path in ends.items()}
    paths |= {f"/v1/v1/{end}": path for end, path in ends.items()}
    for base in _BATCHES:  # a host that ends in the batch path already, with the SDK's own path behind it
        paths |= {f"/v1/{base}/{end}": path for end, path in ends.items()}
        paths |= {f"/v1/{base}/v1/{end}": path for end, path in ends.items()}
    return paths | {"/batch": "/v1/batch", "/b": "/v1/batch", METRICS: METRICS, "/m": METRICS}


_ROUTES: Final = _table()
SINGLE: Final = frozenset(f"/v1/{kind}" for kind in KINDS)  # their body is one event

GETS: Final[frozenset[str]] = frozenset()
MAX_BODY_BYTES: Final = None
MAX_EVENT_BYTES: Final = None
_BRIEFLY: Final = ((b"cache-control", b"private, max-age=60"),)

_ITEM: Final = msgspec.json.Decoder(Item)
_KIND_OF_PATH: Final = {f"/v1/{kind}": kind for kind in KINDS}


def endpoint(path: str) -> str | None:
    return _ROUTES.get(path)


def claims(content: bytes) -> bool:
    """Of ``/batch``, which has no other owner's marks."""
    return True


def opened(arrived: Arrived) -> Opened | Refused:
    content, single = arrived.content, arrived.endpoint in SINGLE
    if single and len(content) > (limit := arrived.max_event_bytes):
        return Refused(Outcome.TOO_LARGE, f"an event of {len(content)} bytes; at most {limit} are taken", content)
    found = envelope.opened(content, single)
    if isinstance(found, Refused):
        return found
    head, strict = found
    return Opened(strict, head.keys, stored=arrived.endpoint != METRICS)


def taken(arrived: Arrived, opened: Opened) -> Answer:
    return answers.OK


def refused(arrived: Arrived, reason: Outcome, message: str) -> Answer:
    return answers.refusal(400, message)


def unknown(arrived: Arrived) -> Answer:
    return answers.NO_KEY


def disabled(arrived: Arrived) -> Answer:
    return answers.SOURCE_OFF


def other(method: str, path: str, asked: Asked) -> Answer | None:
    if endpoint(path):
        return answers.POST_ONLY
    found = _SETTINGS.fullmatch(path)
    if found is None:
        return None
    if method not in ("GET", "HEAD"):
        return answers.GET_ONLY
    if not asked.known(found[1]):
        return answers.NO_KEY
    return json_answer(settings_for(found[1], asked.address), headers=_BRIEFLY)


def decode(record: Record, mint: Mint, max_event_bytes: int) -> Decoded:
    """Calls and rejects of one request; never raises."""
    return decoded(record, _KIND_OF_PATH.get(record.path), read, mint, max_event_bytes)


def decoded(record: Record, kind: str | None, read_item: ReadItem, mint: Mint, max_event_bytes: int) -> Decoded:
    """Of a body in Segment's envelope, or of one event where the path tells its ``kind``; ``read_item`` reads each event."""
    found = envelope.opened(repair.text(record.body), kind is not None)
    if isinstance(found, Refused):
        return [], [Reject(found.reason, found.detail, None, record.body)]
    head, body = found
    if isinstance(head, envelope.Envelope) and head.batch is not None:
        items, sent_at, context = head.batch, moment(head.sent_at), bytes(head.context)
    else:
        items, sent_at, context = [msgspec.Raw(body)], None, b""
    sender = Sender(kind, record.source, record.user_agent, record.received_at, sent_at, context)
    return one_by_one(items, read_item, sender, mint, max_event_bytes)


def read(raw: msgspec.Raw) -> Item:
    """Raises ``RuleError`` and what ``assemble.FAULTS`` lists."""
    try:
        return _ITEM.decode(raw)
    except msgspec.ValidationError:
        item = _tolerated(bytes(raw))
        _check_ids(item, bytes(raw))
        return item


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
            raise RuleError(Outcome.ILLEGAL_ID, f"{field} is {bytes(given[field])[:100]!r}", text(item.message_id))
