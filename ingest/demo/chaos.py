"""The calls as batches, the way devices deliver them: in loose order, some late, some twice, some by a wrong clock.

Whatever this does, the answers stay the planted ones: that is what it is for.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from random import Random
from typing import Final

import msgspec

from ingest.demo.calls import Call, call, iso
from ingest.demo.shape import Company

BATCH: Final = 100  # the SDKs' own most
LOOSE: Final = 300  # how many places a call may stray from its order
LATE: Final = 0.03  # share of calls that come long after their neighbours
TWICE: Final = 0.015  # share of calls that come again, by themselves
BATCH_TWICE: Final = 0.004  # share of whole batches sent again, as after a timeout


@dataclass(frozen=True)
class Batch:
    """What one device sends at once. ``clock`` is how far its clock is ahead, in milliseconds."""

    calls: tuple[Call, ...]
    clock: int = 0

    def body(self, now: int) -> bytes:
        """The request's body if sent at ``now`` (milliseconds since the epoch, by a right clock)."""
        return msgspec.json.encode({"batch": self.calls, "sentAt": iso(now + self.clock)})


@dataclass(frozen=True)
class Delivery:
    """All batches in sending order, and how the collector's books must look afterwards."""

    batches: tuple[Batch, ...]
    accepted: int
    duplicate: int
    rejected: int

    @property
    def calls(self) -> int:
        return self.accepted + self.duplicate + self.rejected


def deliver(company: Company) -> Delivery:
    rng = Random(company.size.seed + 1)
    by_clock: dict[tuple[int, int], list[Call]] = defaultdict(list)
    for ordinal, happening in enumerate(company.happenings):
        clock = company.people[happening.person].clock
        by_clock[clock, happening.person if clock else -1].append(call(company, happening, ordinal))
    sent = [Batch(tuple(some), clock) for (clock, _), calls in by_clock.items() for some in _batches(_strewn(calls, rng))]
    again = [Batch(batch.calls, batch.clock) for batch in sent if rng.random() < BATCH_TWICE]
    again += [Batch(some, batch.clock) for batch in sent if (some := tuple(c for c in batch.calls if rng.random() < TWICE))]
    faulty = Batch(_faulty())
    return Delivery(
        batches=tuple(_mixed(sent, [*again, faulty], rng)),
        accepted=len(company.happenings),
        duplicate=sum(len(batch.calls) for batch in again),
        rejected=len(faulty.calls),
    )


def _strewn(calls: list[Call], rng: Random) -> list[Call]:
    """In loose order; the late ones far behind their place."""
    places = [
        i + rng.uniform(0, LOOSE) + (rng.uniform(0, len(calls)) if rng.random() < LATE else 0) for i in range(len(calls))
    ]
    return [calls[i] for i in sorted(range(len(calls)), key=places.__getitem__)]


def _batches(calls: list[Call]) -> list[list[Call]]:
    return [calls[i : i + BATCH] for i in range(0, len(calls), BATCH)]


def _mixed(sent: list[Batch], again: list[Batch], rng: Random) -> list[Batch]:
    """Wrong clocks and repetitions strewn among the rest, a repetition anywhere: it may overtake the first."""
    right = [batch for batch in sent if not batch.clock]
    strays = [batch for batch in sent if batch.clock] + again
    places = [(float(i), batch) for i, batch in enumerate(right)] + [(rng.uniform(0, len(right)), batch) for batch in strays]
    return [batch for _, batch in sorted(places, key=lambda pair: pair[0])]


def _faulty() -> tuple[Call, ...]:
    """Calls of an SDK that is still being wired: each must be rejected, with its reason, beside good ones that are kept."""
    return (
        {"type": "track", "event": "Signed Up", "messageId": "demo-faulty-1", "properties": {"plan": "free"}},
        {"type": "track", "userId": "u-test", "messageId": "demo-faulty-2", "properties": {"plan": "free"}},
        {"type": "group", "userId": "u-test", "messageId": "demo-faulty-3", "traits": {"name": "Test"}},
        {"type": "tarck", "event": "Signed Up", "userId": "u-test", "messageId": "demo-faulty-4"},
        {"event": "Signed Up", "userId": "u-test", "messageId": "demo-faulty-5"},
        {"type": "track", "event": "Signed Up", "userId": None, "anonymousId": "", "messageId": "demo-faulty-6"},
    )
