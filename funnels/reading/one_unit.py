"""The events that can say something of one unit: a small relation in place of all events, for whoever asks about one.

Whose events they are is known before they are read: by the actors of a person, by an account's name and its people's
actors, by the actors of whoever did a session's first event. Written out in the query these numbers are told to the scan,
which a join is not. What traits were at a time is told by calls of anybody; these are kept where the question asks for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from funnels.ask import Funnel, Unit
from funnels.filter_sql import ACCOUNT_THEN, PERSON_THEN
from funnels.filters import Filter, conditions
from funnels.reading.traits_then import uses
from ingest.event import EVENTS
from transforms.engine import Engine

_ACTORS: Final[Mapping[Unit, str]] = {
    "person": "select person_id from actors where id in ($id, 'user:' || $id, 'anonymous:' || $id)",
    "account": "select person_id from sole_memberships where account_id = $id",
    "session": "select person_id from events join actors on actors.actor_id = events.actor_id where events.event_id = $id",
}
_CALLS: Final = {PERSON_THEN: "$identify", ACCOUNT_THEN: "$group"}
_OWN: Final = ("actor_id", "kind", "event", "event_id", "time", "account_id", "source", "bot", "month")
_MOST: Final = 1_000  # actors that are written out


def narrow_to(engine: Engine, request: Funnel, given: str, insiders: Sequence[Filter] = ()) -> None:
    """Makes ``events`` those that a question about the unit ``given`` (an id as ``story.find_unit`` takes it) can need.

    ``insiders``: filters that tell internal traffic.
    """
    people = _ACTORS[request.unit]
    found = engine.table(f"select actor_id from actors where person_id in ({people})", {"id": given})
    actors = found["actor_id"].to_pylist()
    if len(actors) > _MOST:
        engine.bind("own_actors", found)
        theirs = "events.actor_id in (select actor_id from own_actors)"
    else:
        theirs = f"events.actor_id in ({', '.join(map(str, actors))})" if actors else "false"
    ours = f"({theirs} or events.account_id = $id)" if request.unit == "account" else theirs
    names = [] if _any_name(request) else list(request.event_names)
    parameters: dict[str, object] = {"id": given} if request.unit == "account" else {}
    parameters |= {f"name_{number}": name for number, name in enumerate(names)}
    listed = ", ".join(f"$name_{number}" for number in range(len(names)))
    wanted = [f"{ours} and events.event in ({listed})" if names else ours]
    wanted += [f"events.event = '{call}'" for root, call in _CALLS.items() if uses(root, request.properties)]
    read = ", ".join(_columns({*request.properties, *(one.property for one in conditions(insiders))}))
    engine.make("narrow.events", f"select {read} from base.events where {' or '.join(wanted)}", parameters)


def _columns(properties: Collection[str]) -> list[str]:
    """What queries about these properties read of events: a row group of all columns is ten times as much."""
    roots = {name.partition(".")[0] for name in properties}
    traits = {"properties"} if not roots.isdisjoint(_CALLS) else set[str]()
    return sorted({*_OWN, *traits, *(roots & set(EVENTS.names))})


def _any_name(request: Funnel) -> bool:
    return request.takes_any_event or request.order == "strict" or request.unit == "session"
