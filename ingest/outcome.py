"""How a received event ended: exactly one of these, for each event, always.

``accepted`` and ``duplicate`` are both good news for the sender. Every other outcome is one rule that the event broke; such
an event is kept in ``rejected`` with its raw bytes under this reason, so that it can be looked at and replayed.
"""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """The value is what stands in ``rejected.reason``; ``help`` says what the rule is and what to send instead."""

    help: str

    def __new__(cls, value: str, help_text: str = "") -> Outcome:
        member = str.__new__(cls, value)
        member._value_ = value
        member.help = help_text
        return member

    ACCEPTED = "accepted", "stored in events"
    DUPLICATE = "duplicate", "a copy of an event with the same id; the one received first stays"
    FORGOTTEN = "forgotten", "sent under an id whose person was forgotten; not stored, see `jcurve forget`"
    NO_CONSENT = "no_consent", "its sender asked not to be tracked, or refused consent; not stored, see `jcurve sources set`"
    UNREADABLE = "unreadable", "the body is no JSON in any encoding known here; send JSON as UTF-8, plain or gzipped"
    TOO_LARGE = "too_large", "an event or a body over the size limit; send smaller properties or fewer events at once"
    NOT_AN_OBJECT = "not_an_object", 'an event must be a JSON object such as {"type": "track", ...}'
    MISSING_TYPE = "missing_type", "an event in a batch names its type: track, page, screen, identify, group or alias"
    UNKNOWN_TYPE = "unknown_type", "the type must be one of track, page, screen, identify, group, alias"
    MISSING_IDENTITY = (
        "missing_identity",
        "an event names its sender: userId or anonymousId (user_id, device_id); an alias: userId",
    )
    ILLEGAL_ID = "illegal_id", "an id is a string or a number, and not the name of nothing such as 'undefined' or 'null'"
    MISSING_EVENT = "missing_event", "a track call names its event: event (event_type), not empty"
    MISSING_GROUP = "missing_group", "a group call names its group: groupId, not empty"
    MISSING_PREVIOUS = "missing_previous", "an alias names the id that it replaces: previousId, not empty"
    TOO_COMPLEX = "too_complex", "an event with more properties, nested deeper or under a longer name than is taken"
    PLAN = "plan", "an event of a source that must keep to the tracking plan; the detail names the rule of its schema"
    MISSING_TIME = "missing_time", "an imported row says when it happened, as ISO 8601 text or an epoch number, from 1990 on"

    @property
    def is_rejection(self) -> bool:
        return self not in (Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.FORGOTTEN, Outcome.NO_CONSENT)

    @property
    def label(self) -> str:
        """Its name in counts and in ``/api/status``: ``accepted``, ``duplicate``, ``rejected:missing_identity``."""
        return f"rejected:{self.value}" if self.is_rejection else self.value
