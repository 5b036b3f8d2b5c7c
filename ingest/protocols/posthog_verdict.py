"""What v1's answer tells of each event, as the flush will decide: from a light look, where that is enough.

Nearly every event is a track call of somebody with a name, an id and properties of usual size; to see that takes a fourth of
what decoding takes. Where one is anything else, the request is decoded at the door as well. To say yes of an event that the
flush rejects would be a bug: a test holds both to the same verdict on damaged requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Literal

import msgspec

from ingest import limits
from ingest.protocols.envelope import NOTHING
from ingest.protocols.posthog_event import COOKIELESS, KIND, Event, id_of
from ingest.scalar import person, text
from ingest.steps import first_id
from ingest.times import micros

_FEW: Final = 5_000  # bytes, in which there are fewer properties than the limit, with what v1 has beside them


Absent = Literal["\0"]  # what no body holds by now: an event with such a property cannot be read here


class _Deciding(msgspec.Struct, gc=False):
    """The properties by which an event may break a rule, or be another call than a track."""

    groups: msgspec.Raw = msgspec.field(default=NOTHING, name="$groups")
    group_type: Absent = msgspec.field(default="\0", name="$group_type")
    set: Absent = msgspec.field(default="\0", name="$set")
    set_once: Absent = msgspec.field(default="\0", name="$set_once")
    unset: Absent = msgspec.field(default="\0", name="$unset")


_DECIDING: Final = msgspec.json.Decoder(_Deciding)


def all_sound(events: Sequence[Event], sent_at: str | None) -> bool:
    """Whether it is plain that each is stored under its ``uuid``; ``sent_at`` is the request's."""
    try:
        micros(sent_at)
        return all(map(_is_sound, events))
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return False


def _is_sound(event: Event) -> bool:
    name, properties = event.event, bytes(event.properties)
    if type(name) is not str or type(event.uuid) is not str or not _is_sender(id_of(event.distinct_id)):
        return False
    if name in KIND or not properties.startswith(b"{") or len(properties) > _FEW:
        return False
    if event.offset is not None or event.set is not NOTHING or event.set_once is not NOTHING or event.unset is not NOTHING:
        return False
    for time in (event.timestamp, event.sent_at):
        if time is not None and type(time) is not str:  # of a text there is always a time, or none
            micros(time)
    found = _DECIDING.decode(properties)
    return (
        text(name) is not None
        and text(event.uuid) is not None
        and _can_be_read(bytes(event.options), bytes(found.groups))
        and limits.exceeded(limits.USUAL, name, properties) is None
    )


def _is_sender(sender: str | None) -> bool:
    return person(sender) is not None and sender != COOKIELESS


@lru_cache(maxsize=4_096)
def _can_be_read(options: bytes, groups: bytes) -> bool:
    first_id(groups)
    return options.count(b"{") + options.count(b"[") < 2  # none within another
