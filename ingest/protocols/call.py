"""What a decoder makes of a request: calls that are sound, and rejects with their reason. Never an exception."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from ingest.outcome import Outcome


class Call(msgspec.Struct, gc=False):
    """One sound call: a row of ``ingest.event.EVENTS`` without ``log``, ``log_offset`` and ``month``, in its order.

    Times are microseconds since the epoch, UTC. ``properties`` and ``context`` are the bytes of a JSON object, valid UTF-8
    without ``\\u0000`` and lone surrogates.
    """

    event_id: str
    kind: str
    event: str
    time: int
    original_time: int | None
    sent_at: int | None
    received_at: int
    anonymous_id: str | None
    user_id: str | None
    previous_id: str | None
    actor_id: int
    account_id: str | None
    session_id: str | None
    source: str
    library: str | None
    page_url: str | None
    page_path: str | None
    page_referrer: str | None
    utm_source: str | None
    utm_medium: str | None
    utm_campaign: str | None
    utm_term: str | None
    utm_content: str | None
    device: str | None
    os: str | None
    browser: str | None
    locale: str | None
    app_version: str | None
    country: str | None
    bot: bool
    properties: bytes
    context: bytes


class Made(Call, gc=False):
    """A call that nobody sent by itself: what an event says besides, such as the traits that PostHog's events may ``$set``.
    It is stored like any other, under an id made of that event's; what was received is counted without it."""


@dataclass(frozen=True, slots=True)
class Reject:
    """One event, or a whole body where no event could be told apart, that broke a rule."""

    reason: Outcome
    detail: str  # what was found and what to send instead
    event_id: str | None  # where one could be read
    raw: bytes  # the event's own bytes


def received(calls: Sequence[Call]) -> int:
    """How many of them somebody sent."""
    return sum(type(call) is not Made for call in calls)
