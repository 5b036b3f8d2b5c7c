"""What v1's answer tells of each event, as the flush will decide: from a light look, where that is enough.

Nearly every event is a track call of somebody with a name, an id and properties of usual size; to see that takes a fourth of
what decoding takes. Where one is anything else, the request is decoded at the door as well. To say yes of an event that the
flush rejects would be a bug: a test holds both to the same verdict on damaged requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec

from ingest import limits
from ingest.protocols.envelope import NOTHING
from ingest.protocols.posthog_event import COOKIELESS, KIND, Event, id_of
from ingest.scalar import person, text
from ingest.steps import first_id
from ingest.times import micros

_NONE: Final = (NOTHING,) * 7
_FEW: Final = 5_000  # bytes, in which there are fewer properties than the limit, with what v1 has beside them


class _Deciding(msgspec.Struct, gc=False):
    """The properties by which an event may break a rule, or be another call than a track."""

    groups: msgspec.Raw = msgspec.field(default=NOTHING, name="$groups")
    group_type: msgspec.Raw = msgspec.field(default=NOTHING, name="$group_type")
    set: msgspec.Raw = msgspec.field(default=NOTHING, name="$set")
    set_once: msgspec.Raw = msgspec.field(default=NOTHING, name="$set_once")
    unset: msgspec.Raw = msgspec.field(default=NOTHING, name="$unset")


_DECIDING: Final = msgspec.json.Decoder(_Deciding)


def all_sound(events: Sequence[Event], sent_at: str | None) -> bool:
    """Whether it is plain that each is stored under its ``uuid``; ``sent_at`` is the request's."""
    try:
        micros(sent_at)
        return all(map(_is_sound, events))
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return False


def _is_sound(event: Event) -> bool:
    name, sender, properties = event.event, id_of(event.distinct_id), bytes(event.properties)
    if (
        type(name) is not str
        or text(name) is None
        or name in KIND
        or type(event.uuid) is not str
        or text(event.uuid) is None
    ):
        return False
    if person(sender) is None or sender == COOKIELESS or not properties.startswith(b"{") or len(properties) > _FEW:
        return False
    micros(event.timestamp), micros(event.sent_at)
    found = _DECIDING.decode(properties)
    others = (found.group_type, found.set, found.set_once, found.unset, event.set, event.set_once, event.unset)
    return (
        others == _NONE
        and event.offset is None
        and _can_be_read(bytes(event.options), bytes(found.groups))
        and limits.exceeded(limits.USUAL, name, properties) is None
    )


@lru_cache(maxsize=4_096)
def _can_be_read(options: bytes, groups: bytes) -> bool:
    first_id(groups)
    return options.count(b"{") + options.count(b"[") < 2  # none within another
