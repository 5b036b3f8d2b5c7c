"""What can be asked about: the event names that came, their properties, and values seen in them, for ``GET /api/catalogue``.

Names, counts and times are of all events. Properties are those of at most ``LOOKED_AT`` events of a name's last ``RECENT``
days, so that the cost is bounded by the number of names and not by the history: a first pass reads two short columns, and a
query per name then only the row groups that can hold these events. After ``BUDGET`` seconds the names left, the rarest, stay
without. (99 million events of 40 names: 6 s, the first pass 5 s, on two cores that sixteen processes shared.)

An answer is kept: as long as no event came it stands, and else for ``FRESH`` seconds (events may come every second, and a
name that is new must only be there when its reader looks again).
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from funnels.filters import COLUMNS
from ingest.numbers import loads
from transforms.engine import Engine

NAMES: Final = 1000  # listed; the most frequent
LOOKED_AT: Final = 50  # events of a name
RECENT: Final = timedelta(days=30)
BUDGET: Final = 4.0  # seconds for all names' properties
FRESH: Final = 60.0  # seconds that an answer stands though events came since
EXAMPLES: Final = 12  # values of a property
LONGEST: Final = 80  # characters of a value that is shown
DEEPEST: Final = 3  # objects within each other

_NOT_OFFERED: Final = ("event_id", "actor_id", "event", "time", "original_time", "sent_at", "received_at", "previous_id")
OFFERED: Final = tuple(name for name in COLUMNS if name not in _NOT_OFFERED)

EVENTS: Final = """
select event, count(*) as events, min(time) as first_seen, max(time) as last_seen
from events
group by event
order by events desc, event
limit $limit
"""
LATEST: Final = f"""
select properties, context, {", ".join(OFFERED)}
from events
where event = $event and time >= $since and month >= $month
limit $looked_at
"""
_COUNTED: Final = ("events", "first_seen", "last_seen")
_TRAITS: Final = {"identify": ("person.", "person_now."), "group": ("account.", "account_now.")}


@dataclass
class _Property:
    types: set[str] = field(default_factory=set)
    events: Counter[str] = field(default_factory=Counter)
    values: Counter[tuple[type, object]] = field(default_factory=Counter)


def catalogue(engine: Engine, *, clock: Callable[[], float] = time.monotonic) -> dict[str, Any]:
    """``items``: a row per event name. ``properties``: a row per property that a filter may name, with types and values."""
    names = engine.table(EVENTS, {"limit": NAMES}).to_pylist()
    found: dict[str, _Property] = defaultdict(_Property)
    until = clock() + BUDGET
    kinds = {row["event"]: _look(engine, row, found) for row in names if clock() < until}
    properties = [_told(name, found[name]) for name in sorted(found)]
    return {"items": [_item(row, kinds.get(row["event"]), found) for row in names], "properties": properties}


def _look(engine: Engine, row: Mapping[str, Any], found: dict[str, _Property]) -> str | None:
    """Notes the properties of one name's latest events, and gives their kind."""
    kind: str | None = None
    since = row["last_seen"] - RECENT  # an event's month is that of its time
    own = {"event": row["event"], "since": since, "month": f"{since:%Y-%m}", "looked_at": LOOKED_AT}
    for event in engine.table(LATEST, own).to_pylist():
        kind = event["kind"]
        said = loads(event["properties"])
        for root in _TRAITS.get(kind, ("properties.",)):
            _note(found, row["event"], _leaves(_set_once(said) if kind in _TRAITS else said, root))
        _note(found, row["event"], _leaves(loads(event["context"]), "context."))
        _note(found, row["event"], ((name, event[name]) for name in OFFERED))
    return kind


def _set_once(traits: dict[str, object]) -> dict[str, object]:
    """Those that a call sets for good are traits as all others (see the model ``traits``)."""
    once = traits.get("$set_once")
    rest = {name: value for name, value in traits.items() if name != "$set_once"}
    return {**once, **rest} if isinstance(once, dict) else traits


def _note(found: dict[str, _Property], event: str, values: Iterator[tuple[str, object]]) -> None:
    for name, value in values:
        if value is not None:
            one = found[name]
            one.types.add(_type(value))
            one.events[event] += 1
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, str | int | float | bool) and len(str(item)) <= LONGEST:
                    one.values[(type(item), item)] += 1


def _leaves(value: object, path: str, depth: int = 1) -> Iterator[tuple[str, object]]:
    """Dotted names and what they hold: ``properties.cart.total``. A name with a dot of its own could not be asked for."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        if key and "." not in key:
            if isinstance(inner, dict) and depth < DEEPEST:
                yield from _leaves(inner, f"{path}{key}.", depth + 1)
            else:
                yield path + key, inner


def _type(value: object) -> str:
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "list" if isinstance(value, list) else "object"


def _item(row: Mapping[str, Any], kind: str | None, found: Mapping[str, _Property]) -> dict[str, Any]:
    """``kind`` is null where there was no time to look."""
    own = sorted(name for name, one in found.items() if row["event"] in one.events and name.startswith("properties."))
    return {"event": row["event"], "kind": kind, **{name: row[name] for name in _COUNTED}, "properties": own}


def _told(name: str, one: _Property) -> dict[str, Any]:
    values = [value for (_, value), _ in one.values.most_common(EXAMPLES)]
    return {"property": name, "types": sorted(one.types), "events": sorted(one.events), "examples": values}


class Kept:
    """The last catalogue of each project; one is made at a time, and whoever comes meanwhile waits for it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._found: dict[str, tuple[int | None, float, dict[str, Any]]] = {}

    def __call__(self, project: str, version: int | None, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The catalogue of events at ``version``, or at one of at most ``FRESH`` seconds ago."""
        with self._lock:
            known = self._found.get(project)
            if known is None or (known[0] != version and self._clock() - known[1] > FRESH):
                known = self._found[project] = (version, self._clock(), make() | {"data": {"events": version}})
            return known[2]
