"""The calls as batches, the way devices deliver them: in loose order, some late, some twice, some by a wrong clock.

Whatever this does, the answers stay the planted ones: that is what it is for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
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

# Calls of an SDK that is still being wired: each must be rejected, with its reason, and nothing else with it.
FAULTY: Final[tuple[Call, ...]] = (
    {"type": "track", "event": "Signed Up", "messageId": "demo-faulty-1", "properties": {"plan": "free"}},
    {"type": "track", "userId": "u-test", "messageId": "demo-faulty-2", "properties": {"plan": "free"}},
    {"type": "group", "userId": "u-test", "messageId": "demo-faulty-3", "traits": {"name": "Test"}},
    {"type": "tarck", "event": "Signed Up", "userId": "u-test", "messageId": "demo-faulty-4"},
    {"event": "Signed Up", "userId": "u-test", "messageId": "demo-faulty-5"},
    {"type": "track", "event": "Signed Up", "userId": None, "anonymousId": "", "messageId": "demo-faulty-6"},
)


@dataclass(frozen=True)
class Batch:
    """What one device sends at once: happenings by their place in the company's history, or ready calls.

    ``clock`` is how far the sender's clock is ahead, in milliseconds.
    """

    company: Company
    ordinals: tuple[int, ...]
    clock: int = 0
    ready: tuple[Call, ...] = ()

    @property
    def calls(self) -> list[Call]:
        """Made anew each time: all of a company's at once would take a gigabyte."""
        return [*(call(self.company, self.company.happenings[i], i) for i in self.ordinals), *self.ready]

    def __len__(self) -> int:
        return len(self.ordinals) + len(self.ready)

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
    sent = [batch for ordinals in _by_device(company) for batch in _batches(company, _strewn(ordinals, rng))]
    again = [batch for batch in sent if rng.random() < BATCH_TWICE]
    for batch in sent:
        if some := tuple(i for i in batch.ordinals if rng.random() < TWICE):
            again.append(Batch(company, some, batch.clock))
    faulty = Batch(company, (), ready=FAULTY)
    return Delivery(
        batches=tuple(_mixed(sent, [*again, faulty], rng)),
        accepted=len(company.happenings),
        duplicate=sum(map(len, again)),
        rejected=len(faulty),
    )


def _by_device(company: Company) -> list[list[int]]:
    """Everyone whose clock is right in one list; a batch of the others holds one person's calls, for it has one clock."""
    found: dict[int, list[int]] = defaultdict(list)
    for ordinal, happening in enumerate(company.happenings):
        found[happening.person if company.people[happening.person].clock else -1].append(ordinal)
    return list(found.values())


def _strewn(ordinals: Sequence[int], rng: Random) -> list[int]:
    """In loose order; the late ones far behind their place."""
    count = len(ordinals)
    places = [i + rng.uniform(0, LOOSE) + (rng.uniform(0, count) if rng.random() < LATE else 0) for i in range(count)]
    return [ordinals[i] for i in sorted(range(count), key=places.__getitem__)]


def _batches(company: Company, ordinals: Sequence[int]) -> list[Batch]:
    clock = company.people[company.happenings[ordinals[0]].person].clock
    return [Batch(company, tuple(ordinals[i : i + BATCH]), clock) for i in range(0, len(ordinals), BATCH)]


def _mixed(sent: list[Batch], again: list[Batch], rng: Random) -> list[Batch]:
    """Wrong clocks and repetitions strewn among the rest, a repetition anywhere: it may overtake the first."""
    right = [batch for batch in sent if not batch.clock]
    strays = [batch for batch in sent if batch.clock] + again
    places = [(float(i), batch) for i, batch in enumerate(right)] + [(rng.uniform(0, len(right)), batch) for batch in strays]
    return [batch for _, batch in sorted(places, key=lambda pair: pair[0])]
