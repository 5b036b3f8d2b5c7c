"""The body of ``POST /api/funnel`` (section 7 of the funnel's definition), read into a frozen ``Funnel``.

``parse`` names every fault at once, also options that do not go together (``combine``). Steps count from 1 in a request.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from funnels.ask import (
    ANY_EVENT,
    COUNTS,
    ORDERS,
    REENTRIES,
    TIES,
    TOUCHES,
    TRAFFIC,
    UNITS,
    WITNESSES,
    Breakdown,
    Choice,
    Exclude,
    Funnel,
    Step,
    Ties,
    TimeToConvert,
)
from funnels.cohorts import read_cohorts
from funnels.combine import check_cohorts, check_together
from funnels.definitions.definition import Cohort
from funnels.durations import parse_duration
from funnels.errors import BadRequest, Fault, Faults
from funnels.kernel import MAX_STEPS
from funnels.periods import GRAINS, Grain
from funnels.presets import PRESETS
from funnels.reader import LONGEST, Reader

MAX_BUCKETS: Final = 4000  # ten years of days
MAX_EXCLUSIONS: Final = 16
MAX_HELD: Final = 8
MAX_BY: Final = 3
MAX_GROUPS: Final = 1000
MAX_BINS: Final = 1000
DAYS: Final[dict[Grain, int]] = {"day": 1, "week": 7, "month": 28}  # at least so many

KEYS: Final = (
    "steps", "from", "to", "timezone", "window", "order", "ties", "reentry", "witness", "unit", "count", "hold", "exclude",
    "where", "breakdown", "trend", "time_to_convert", "as_of", "internal", "preset", "cohorts",
)  # fmt: skip
_KEYS_OF_STEP: Final = ("event", "any_of", "where", "within", "label", "optional", "first_ever")
_KEYS_OF_EXCLUDE: Final = ("event", "any_of", "where", "after", "before")
_SOME_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Known:
    """What requests may name: the deployment's cohorts and stages. ``zone`` is for requests that name none."""

    cohorts: Mapping[str, Cohort] = field(default_factory=dict)
    stages: Collection[str] = ()
    zone: str = "UTC"


NOTHING: Final = Known()


def parse(body: object, known: Known = NOTHING) -> Funnel:
    """Read a request. Raises ``BadRequest`` with every fault."""
    found, faults = body_of(body), Faults()
    faults.unknown_keys(found, KEYS, "")
    funnel = read(found, known, faults)
    faults.raise_any()
    return funnel


def body_of(body: object) -> Mapping[str, object]:
    """The body as an object of Unicode texts; raises ``BadRequest``."""
    if not isinstance(body, Mapping):
        raise BadRequest([Fault("", body, ("an object",), "write an object with steps, from, to and window")])
    try:  # JSON can write half a character (a lone surrogate), which nothing that follows can store or send
        json.dumps(body, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start : error.end].encode("ascii", "backslashreplace").decode()
        raise BadRequest([Fault("", half, ("Unicode text",), f"the request holds half a character, {half}")]) from None
    return body


def read(body: Mapping[str, object], known: Known, faults: Faults) -> Funnel:
    """The funnel of a body, whatever else stands in it; good only where no fault is noted."""
    reader = Reader(body, "", faults)
    place = reader.zone(known.zone)
    cohorts = {**known.cohorts, **read_cohorts(body.get("cohorts"), place, known.stages, faults)}
    start, end = reader.moment("from", place), reader.moment("to", place)
    trend = reader.maybe_one_of("trend", GRAINS)
    if start is not None and end is not None:
        _check_range(start, end, trend, body, faults)
    steps = _steps(reader)
    funnel = Funnel(
        steps=steps,
        start=start or _SOME_TIME,
        end=end or _SOME_TIME,
        window=reader.duration("window", required=True) or LONGEST,
        zone=place,
        unit=reader.one_of("unit", UNITS, "person"),
        where=reader.filters(),
        trend=trend,
        as_of=None if body.get("as_of") is None else reader.moment("as_of", place),
        internal=reader.one_of("internal", TRAFFIC, "exclude"),
        order=reader.one_of("order", ORDERS, "sequential"),
        ties=_ties(reader),
        reentry=reader.one_of("reentry", REENTRIES, "any"),
        witness=reader.one_of("witness", WITNESSES, "earliest"),
        count=reader.one_of("count", COUNTS, "units"),
        hold=reader.properties("hold", MAX_HELD),
        exclude=_exclusions(reader, steps),
        breakdown=_breakdown(reader, steps),
        time_to_convert=_time_to_convert(reader, steps),
        preset=reader.maybe_one_of("preset", tuple(PRESETS)),
    )
    check_together(funnel, body, faults)
    check_cohorts(body, cohorts, faults)
    return replace(funnel, cohorts=tuple(cohorts[name] for name in sorted(funnel.cohorts_named & cohorts.keys())))


def _check_range(start: datetime, end: datetime, trend: Grain | None, body: Mapping[str, object], faults: Faults) -> None:
    if start >= end:
        faults.add("to", body["to"], ["a time after from"], "the range is empty: to must be later than from")
    elif trend is not None and (end - start) / timedelta(days=DAYS[trend]) > MAX_BUCKETS:
        faults.add("trend", trend, [*GRAINS, None], f"the range has more than {MAX_BUCKETS} buckets; ask for longer ones")


def _steps(reader: Reader) -> tuple[Step, ...]:
    found = reader.items("steps", MAX_STEPS, "steps", least=1)
    return tuple(_step(step, number, len(found), reader.faults) for number, step in enumerate(found))


def _step(found: object, number: int, count: int, faults: Faults) -> Step:
    path = f"steps[{number}]"
    if not isinstance(found, Mapping):
        faults.add(path, found, ['{"event": "Signed Up"}'], "write an object with event or any_of")
        return Step((), "")
    faults.unknown_keys(found, _KEYS_OF_STEP, path)
    reader = Reader(found, f"{path}.", faults)
    choices = reader.choices("a step")
    within = reader.duration("within", required=False)
    if number == 0 and within is not None:
        faults.add(f"{path}.within", found["within"], [None], "within is the time since the step before; the first has none")
    optional = reader.flag("optional")
    if optional and number in (0, count - 1):
        faults.add(f"{path}.optional", True, [False], "neither the first step nor the last can be optional")
    label = reader.text("label") or _label(choices)
    return Step(choices, label, within, reader.filters(), optional, reader.flag("first_ever"))


def _label(choices: Sequence[Choice]) -> str:
    return " or ".join("Any event" if choice.event == ANY_EVENT else choice.event for choice in choices)


def _ties(reader: Reader) -> Ties:
    found = reader.found.get("ties")
    for rule in TIES:
        if found is None or found == rule:
            return rule
    try:
        tolerance = parse_duration(found if isinstance(found, str) else "")
        if tolerance > LONGEST:
            reader.faults.add("ties", found, ["366d"], "a tolerance is at most 366d")
        return min(tolerance, LONGEST)
    except (ValueError, OverflowError):
        reader.faults.add("ties", found, [*TIES, "2s"], "ties can only be in_order, strict, or a tolerance such as 2s")
        return "in_order"


def _exclusions(reader: Reader, steps: Sequence[Step]) -> tuple[Exclude, ...]:
    found = reader.items("exclude", MAX_EXCLUSIONS, "exclusions")
    return tuple(_exclusion(one, number, steps, reader.faults) for number, one in enumerate(found))


def _exclusion(found: object, number: int, steps: Sequence[Step], faults: Faults) -> Exclude:
    path, last = f"exclude[{number}]", max(len(steps), 1)
    if not isinstance(found, Mapping):
        faults.add(path, found, ['{"event": "Account Deleted"}'], "write an object with event, and where, after and before")
        return Exclude((), (), 0, 0)
    faults.unknown_keys(found, _KEYS_OF_EXCLUDE, path)
    reader = Reader(found, f"{path}.", faults)
    after, before = reader.number("after", 1, last, 1) - 1, reader.number("before", 1, last, last) - 1
    return Exclude(reader.choices("an exclusion"), reader.filters(), after, before)


def _breakdown(reader: Reader, steps: Sequence[Step]) -> Breakdown | None:
    inner = _inner(reader, "breakdown", ("by", "attribution", "limit"), '{"by": ["properties.plan"]}')
    if inner is None:
        return None
    by = inner.properties("by", MAX_BY, least=1)
    touch = inner.found.get("attribution")
    if isinstance(touch, int):
        attribution: int | None = inner.number("attribution", 1, max(len(steps), 1), 1) - 1
        return Breakdown(by, attribution or 0, inner.number("limit", 1, MAX_GROUPS, 25))
    return Breakdown(by, inner.one_of("attribution", TOUCHES, "first"), inner.number("limit", 1, MAX_GROUPS, 25))


def _time_to_convert(reader: Reader, steps: Sequence[Step]) -> TimeToConvert | None:
    inner = _inner(reader, "time_to_convert", ("from", "to", "bins"), '{"from": 1, "to": 2, "bins": 20}')
    if inner is None:
        return None
    last = max(len(steps), 1)
    start, end = inner.number("from", 1, last, 1) - 1, inner.number("to", 1, last, last) - 1
    return TimeToConvert(start, end, inner.number("bins", 1, MAX_BINS, 20))


def _inner(reader: Reader, key: str, keys: Sequence[str], example: str) -> Reader | None:
    found = reader.found.get(key)
    if found is None:
        return None
    if not isinstance(found, Mapping):
        reader.faults.add(key, found, [example, None], f"write an object such as {example}")
        return None
    reader.faults.unknown_keys(found, keys, key)
    return Reader(found, f"{key}.", reader.faults)
