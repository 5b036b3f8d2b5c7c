"""What the first question after a start would wait for: loops that are compiled or loaded, and libraries that are imported.

Small questions of every kind are asked of a small lake in a folder of its own, the usual ones first. So what is compiled is
what questions call, with the very arrays that they have; numba keeps it beside the files, and a later start only loads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pyarrow as pa

from funnels import match
from funnels.adhoc import Source, answer_of
from funnels.bounds import compiling
from funnels.presets import PRESETS
from funnels.request import parse
from ingest.event import EVENTS
from ingest.lake import Lake

_PROJECT: Final = "warm"
_BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
_STEPS: Final = [{"event": "A"}, {"event": "B"}]
_BODY: Final[dict[str, Any]] = {"steps": _STEPS, "from": "2026-01-01", "to": "2026-01-08", "window": "1d"}
_SET: Final = [{"property": "properties.plan", "op": "is_set"}]
_KINDS: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"trend": "day", "time_to_convert": {"from": 1, "to": 2}},
    {"breakdown": {"by": ["properties.plan"]}},
    {"breakdown": {"by": ["properties.plan", "browser"], "attribution": "last"}},
    {"steps": [_STEPS[0], {"event": "B", "where": _SET}]},
    {"exclude": [{"event": "C"}], "trend": "day"},
    {"reentry": "first"},
    {"count": "attempts"},
    {"order": "any"},
    {"order": "strict"},
    {"hold": ["browser"]},
    {"unit": "account", "breakdown": {"by": ["person_now.plan", "account.plan"]}},
    {"where": [{"property": "account_now.plan", "op": "is_not_set"}], "breakdown": {"by": ["person.plan"]}},
    {"steps": [{"event": "A", "first_ever": True}, _STEPS[1]]},
    {"unit": "session"},
)


def warm() -> None:
    """Ask, and match under every rule. The first time takes a minute or two of one core, later ones some seconds; meanwhile
    nobody's question is ended for taking long."""
    with TemporaryDirectory(prefix="jcurve-warm-") as folder, compiling():
        lake = Lake(str(Path(folder) / "lake"))
        lake.append(_PROJECT, "events", _events(), writer=_PROJECT, batch=1, partition="month")
        source = Source(lake, _PROJECT, lake.version(_PROJECT, "events"), _BEGIN + timedelta(days=30), None)
        for number, kind in enumerate((*_KINDS, *({"preset": name} for name in PRESETS))):
            answer_of(source, parse({**_BODY, **kind}))
            if number == 0:
                match.warm()


def _events() -> pa.Table:
    return pa.Table.from_pylist([*_rows()], EVENTS)


def _rows() -> Iterator[dict[str, object]]:
    """Of a few people; two of one moment have different values, and there are enough for an exact test."""
    for person in range(12):
        for number, name in enumerate("AABC"[: 2 + person % 3]):
            time = _BEGIN + timedelta(hours=person + max(number - 1, 0))
            yield {
                "event_id": f"{person} {number}", "kind": "track", "event": name, "time": time, "received_at": time,
                "user_id": str(person), "actor_id": person, "source": _PROJECT, "browser": "xy"[number % 2],
                "account_id": str(person % 2), "bot": person == 0, "properties": f'{{"plan": "{number}"}}', "context": "{}",
                "log": _PROJECT, "log_offset": 10 * person + number, "month": "2026-01",
            }  # fmt: skip
