"""What must hold whatever was sent: of the answer, of what is logged, and of what the flush makes of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec

from ingest import protocols
from ingest.columns import RejectedEvent, events_table, rejected_table
from ingest.http import Collector
from ingest.meter import Met
from ingest.protocols.call import Call, Reject
from ingest.protocols.family import Decoded
from ingest.record import Record
from tests.ingest.asgi import Message, basic
from tests.ingest.fuzz import damage
from tests.ingest.fuzz.seeds import Seed

MINTED = "minted-"  # what an id begins with that the event did not bring
DISCARDING = frozenset(("/v1/m", "/m", "/s"))


@dataclass(frozen=True)
class Sent:
    """A request; ``events``: how many are in it, where that is sure."""

    method: str
    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    events: int | None = None
    keyed: bool = True  # its header has a key that may write

    def __repr__(self) -> str:
        """So that what fails can be sent again by hand."""
        told = (self.method, self.path, self.query, self.headers, self.body, self.events, self.keyed)
        return f"Sent{told!r}"


@dataclass
class Heard:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    outcome: str  # what the door told its meter; "none" where it took the request for no event


def sent(random: Random, seed: Seed) -> Sent:
    """A valid request of a seed after some damage to its events, and perhaps to what lies around them."""
    events = [damage.told(random, one) for one in seed.events(random.randint(0, 3))]
    count: int | None = len(events)
    if events:
        for at in range(len(events)):
            box = damage.mutated(random, {"event": events[at]}, random.randint(0, 3))
            events[at] = box.get("event") if isinstance(box, dict) and "event" in box else damage.odd(random)
    elif seed.single:
        events, count = seed.events(1), 1
    whole = seed.envelope(events) if not _spreads(seed, events) else events
    if _spreads(seed, events) or seed.single or "" in map(str, events):
        count = None
    if random.random() < 0.2:
        whole, count = damage.mutated(random, whole, random.randint(1, 2)), None
    body = damage.dumps(whole)
    for _ in range(random.choice((0, 0, 1, 1, 2))):
        wrap = random.choice(damage.WRAPS)
        body = wrap(body)
        count = None  # what is wrapped twice, or in another alphabet, need not be found
    if random.random() < 0.15:
        body, count = damage.broken(random, body), None
    if random.random() < 0.05:
        body, count = random.choice(damage.MAGIC) + random.randbytes(random.randint(0, 200)), None
    return _addressed(random, seed, body, count)


def _spreads(seed: Seed, events: list[Any]) -> bool:
    """Whether its envelope puts a key into each event, which must be an object for that."""
    return seed.name.startswith("posthog") and not all(isinstance(one, dict) for one in events)


def _addressed(random: Random, seed: Seed, body: bytes, count: int | None) -> Sent:
    headers = {"authorization": basic("jw_web:"), "host": "here", **seed.headers}
    given = [(name.encode(), value.encode()) for name, value in headers.items()]
    path, query, method, keyed = seed.path, seed.query.encode(), seed.method, True
    if random.random() < 0.3:
        name = random.choice(list(damage.HEADERS))
        given = [*(one for one in given if one[0] != name.encode()), (name.encode(), random.choice(damage.HEADERS[name]))]
        keyed = name != "authorization"
    if random.random() < 0.2:
        query = random.choice(damage.QUERIES)
    if seed.name == "rudder pixel":
        query = damage.broken(random, query) if random.random() < 0.7 else query
        body, count = b"", None
    if random.random() < 0.1:
        path, count = random.choice(damage.PATHS), None
    if random.random() < 0.05:
        method, count = random.choice(("GET", "HEAD", "OPTIONS", "PUT")), None
    return Sent(method, path, query, given, body, count, keyed)


async def heard(door: Collector, met: list[Met], request: Sent) -> Heard:
    """What ``door``, which tells ``met``, answers. An exception of its would be a 500."""
    scope: Message = {
        "type": "http", "method": request.method, "path": request.path, "query_string": request.query, "scheme": "http",
        "client": ("192.0.2.7", 4711), "headers": request.headers,
    }  # fmt: skip
    messages: list[Message] = []
    waiting: list[Message] = [{"type": "http.request", "body": request.body, "more_body": False}]

    async def receive() -> Message:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        messages.append(message)

    before = len(met)
    await door(scope, receive, send)
    start, *rest = messages
    body = b"".join(message["body"] for message in rest)
    return Heard(start["status"], list(start["headers"]), body, met[before].outcome if len(met) > before else "none")


def check_answer(request: Sent, reply: Heard, logged: int) -> None:
    """Never a 5xx, never a redirect; what is answered as taken is logged, and so is what is refused and has an owner."""
    assert reply.status in (200, 400, 401, 404, 405, 413), reply
    assert logged == (0 if reply.outcome in ("unknown_key", "discarded", "none") else 1), reply
    if request.keyed:
        assert reply.outcome != "unknown_key"
        assert reply.outcome != "discarded" or f"/{request.path.strip('/')}" in DISCARDING
    if dict(reply.headers).get(b"content-type", b"").startswith(b"application/json") and reply.body:
        msgspec.json.decode(reply.body)
    for name, value in reply.headers:
        assert not {b"\r", b"\n"} & {bytes([one]) for one in name + value}


def check_events(request: Sent | None, record: Record, place: int = 0) -> Decoded:
    """Each event is one sound call or one reject with its bytes, the same whenever it is asked; as many as were sent."""

    def mint(number: int) -> str:
        return f"{MINTED}{place}-{number}"

    calls, rejects = protocols.decode(record, mint)
    assert protocols.decode(record, mint) == (calls, rejects)
    for call in calls:
        _check_call(call)
    for reject in rejects:
        _check_reject(reject, record)
    refused = "#" in record.path or (len(rejects) == 1 and not calls and rejects[0].raw == record.body)
    if request is not None and request.events is not None and not refused:
        assert len([call for call in calls if type(call) is Call]) + len(rejects) == request.events
    if refused:
        assert len(rejects) == 1 and rejects[0].raw == record.body
    events_table(calls, "log", range(len(calls))).to_pylist()
    rejected_table([RejectedEvent(one, record.received_at, "web", record.path, 0) for one in rejects], "log").to_pylist()
    return calls, rejects


def _check_call(call: Call) -> None:
    for name, value in zip(call.__struct_fields__, msgspec.structs.astuple(call), strict=True):
        if isinstance(value, str):
            value.encode()
            assert "\0" not in value, name
    assert call.event_id and call.event
    assert call.kind in ("track", "page", "screen", "identify", "group", "alias")
    assert call.user_id or call.anonymous_id
    for content in (call.properties, call.context):
        found = json.loads(content.decode(), parse_constant=_refuse, parse_int=str)
        assert isinstance(found, dict)
        told = json.dumps(found, ensure_ascii=False)
        told.encode()
        assert "\\u0000" not in told.replace("\\\\", "")


def _check_reject(reject: Reject, record: Record) -> None:
    assert reject.detail
    reject.detail.encode()
    assert reject.raw or not record.body


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")
