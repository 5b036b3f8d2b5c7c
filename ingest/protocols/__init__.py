"""Protocols: one file per SDK family, one silhouette (``family``): what the door asks of it, and the decoder for the flush.

What it owns: how bytes on the wire become events. ``call`` is what comes out, ``assemble`` the rules that every event obeys;
``envelope``, ``shape``, ``repair`` and ``tolerant`` are tools. ``FAMILIES`` lists the families: a new one is a file and a
line.

Invariants
- A decoder never raises, whatever the bytes: every event of a request ends as exactly one ``Call`` or one ``Reject``. What
  a call says besides (PostHog's ``$set``) is a ``Made`` one behind it, which is stored and not counted.
- Decoding the same record again gives the same calls with the same ids: an id that the SDK left out is minted from the
  event's place in the log, not from chance.
- Nothing here imports pyarrow: the door knows all families and must stay small.

Decisions
- *Decoded twice.* Context: an answer waits for the log and should not wait for the work on each field. Choice: the door
  checks the envelope and logs the body, the flush decodes it. Price: the JSON is scanned twice; in return the door never
  changes when the meaning of a field is bettered.
- *A refused body is a record too.* Context: nothing received may vanish. Choice: it is logged under its path with
  ``#reason#detail`` behind it (no HTTP path holds a ``#``). Price: one ``if`` per record.
- *The log's path names the family.* Context: ``/batch`` belongs to three families, who is told by the body, at the door.
  Choice: a request is logged under its family's own path (``/v1/batch``, ``/posthog/e``), with what else ``decode`` needs
  behind a ``?``. Price: that path is not always the one that was asked for.
- *Segment's SDKs and RudderStack's share ``/v1/*`` and differ in one field.* Context: phones read RudderStack's words, and
  its batches may be sixteen times as large. Choice: the ``channel`` of the first event tells; each family's own limit holds.
  Price: a body of more than all limits, whose channel lies behind what was read, is refused in Segment's words.
- *A group that nobody described has a sender all the same.* Context: Amplitude's ``$groupidentify`` may name no user and no
  device, and every event has an actor. Choice: ``$company_acme``, PostHog's name for it. Price: one actor per such group.
- *PostHog's distinct id is a user's unless the event says otherwise.* Context: one field holds users and visitors alike.
  Choice: the event's own marks decide (see ``posthog_event``), never the looks of the id. Price: an SDK that makes up
  an id and marks nothing, such as posthog-python for a group without a sender, adds a user who is none.
- *PostHog's v1 is looked at twice.* Context: its answer tells what becomes of each event. Choice: where all are plainly
  sound, a light look says so (``posthog_verdict``); else the door decodes the request and forgets that. Price: 2
  microseconds an event at the door, 10 where one is odd, for this endpoint alone; and a second place that knows what is
  rejected, which a test holds to the first.
- *Read in one go.* Context: to cut a body into events and these into fields is to read it twice. Choice: of a request no
  larger than one event may be, all events are read together (``assemble.at_once``), and each by itself only where one of
  them is not sound. Price: two ways to the same calls, which a test compares.
- *Whose a body is that nobody can read.* Context: the keys of most families stand in the body, and a broken one is to
  be kept all the same. Choice: what looks like a key near either end of it. Price: of one large event whose key lies in its
  middle, nothing is kept.
- *Two ids on one event are one person's where their maker says so.* Context: Amplitude, Snowplow and Mixpanel (where both
  ``$user_id`` and ``$device_id`` are named) link them, Segment's SDKs by an identify alone. Choice: such an event's previous
  id is its anonymous one, which ``sql/models/links_found.sql`` takes for a link. Price: of these senders every event is one.
- *What an event sets on its person is a call of its own.* Context: traits are read of identify calls, which lie together in
  the lake; any PostHog event may ``$set`` some. Choice: an identify beside it, ``Made``, under the event's id with ``:set``
  behind it. Price: such an event is two rows, of which one is counted.
- *Who is nobody stands alone.* Context: Snowplow's anonymous trackers name neither user nor device. Choice: the session,
  else the event's own id, is the anonymous id. Price: an actor per such event; in return strangers never make one person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from ingest.limits import USUAL, Limits
from ingest.outcome import Outcome
from ingest.protocols import amplitude, mixpanel, posthog, rudder, segment, snowplow
from ingest.protocols.assemble import AROUND, Around
from ingest.protocols.call import Reject, received
from ingest.protocols.family import Decoded, Family
from ingest.told import MARK, Told, parted

if TYPE_CHECKING:
    from ingest.record import Record

MAX_EVENT_BYTES: Final = 32_768
_TOLD: Final = 500  # characters of a detail

FAMILIES: Final[Mapping[str, Family]] = {  # by the first part of their endpoints, in the order they are asked
    "amplitude": amplitude,
    "rudder": rudder,
    "posthog": posthog,
    "mixpanel": mixpanel,
    "v1": segment,
    "snowplow": snowplow,
}


@lru_cache(maxsize=4_096)
def at(path: str) -> tuple[tuple[Family, str], ...]:
    """The families that take events at a path without doubled and trailing slashes, each with its endpoint."""
    found = ((family, family.endpoint(path)) for family in FAMILIES.values())
    return tuple((family, endpoint) for family, endpoint in found if endpoint is not None)


def decode(
    record: Record,
    mint: Callable[[int], str],
    max_event_bytes: int = MAX_EVENT_BYTES,
    limits: Limits = USUAL,
) -> Decoded:
    """The calls and rejects of a record; their number together, but for what is ``Made``, is the number of events in it.

    ``mint(n)`` must name the record's n-th event (from 0), the same whenever it is asked. ``max_event_bytes`` holds for
    families whose own SDKs do not send more.
    """
    path, _, refused = record.path.partition("#")
    told: Told | None = None
    if MARK in path:
        path, told = parted(path)
        record = msgspec.structs.replace(record, path=path)
    if refused:
        outcome: Decoded = [], [_refused(path, refused, record.body)]
    elif told is None and limits is USUAL:
        family = FAMILIES[path.split("/", 2)[1]]
        return family.decode(record, mint, event_limit(family, max_event_bytes))
    else:
        outcome = _decoded(record, Around(limits, told, record.ip), mint, max_event_bytes)
    return outcome if told is None or told.private != "drop" else _dropped(outcome)


def event_limit(family: Family, max_event_bytes: int) -> int:
    """How many bytes an event of this family may have: as its own servers take, or as the operator says, if that is more."""
    return max(family.MAX_EVENT_BYTES or 0, max_event_bytes)


def _refused(path: str, refused: str, body: bytes) -> Reject:
    name, _, detail = refused.partition("#")
    reason = Outcome(name)
    return Reject(reason, detail or f"{path}: {reason.help}", None, body)


def _decoded(record: Record, around: Around, mint: Callable[[int], str], max_event_bytes: int) -> Decoded:
    family = FAMILIES[record.path.split("/", 2)[1]]
    token = AROUND.set(around)
    try:
        return family.decode(record, mint, event_limit(family, max_event_bytes))
    finally:
        AROUND.reset(token)


def _dropped(outcome: Decoded) -> Decoded:
    """Nothing of a sender who asked not to be tracked is kept, be it sound or not."""
    calls, rejects = outcome
    return [], [
        Reject(Outcome.NO_CONSENT, Outcome.NO_CONSENT.help, None, b"") for _ in range(received(calls) + len(rejects))
    ]


@lru_cache(maxsize=4_096)
def name_of(path: str) -> str:
    """The family of a path of the log, by the name of its file; empty for a path of none."""
    family = FAMILIES.get(path.split("/", 2)[1]) if path.startswith("/") else None
    return "" if family is None else family.__name__.rpartition(".")[2]


def refused_path(path: str, reason: Outcome, detail: str) -> str:
    """The path under which a body that the door refused is logged, with what the sender was told."""
    return f"{path}#{reason.value}#{detail[:_TOLD]}"
