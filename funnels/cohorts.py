"""Cohorts: people, or accounts, who satisfy a condition; read from a request or from the deployment's definitions.

    {"power users": {"unit": "person",
                     "where": [{"property": "person_now.role", "op": "eq", "value": "admin"}],
                     "did": {"event": "Report Exported", "at_least": 3, "last": "30d"},
                     "stage": "activated"}}

All of it must hold. ``where`` asks what the last build knows of the person (``person_now.``) or account (``account_now.``).
``did`` is one object or a list: at least so many events (default 1, or 0 beside ``at_most``), at most so many, in ``from <=
time < to`` or in the ``last`` so long before the question's ``as_of``; never after it. ``stage`` is a name or a list: stages
that were entered until ``as_of``, left again or not. ``cohort:<name>`` then is a property in filters and breakdowns: true or
false for whoever did the event. ``cohort_sql`` finds the members.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from funnels.definitions.definition import SUBJECTS, Cohort, Did, Selection
from funnels.definitions.resolve_stages import ANY_EVENT, key_path
from funnels.definitions.written import Entry, hint
from funnels.durations import format_duration
from funnels.errors import Faults, suggestion
from funnels.filters import COHORT, Filter, conditions, filters_as_json
from funnels.reader import Reader
from funnels.times import iso

MOST: Final = 50  # cohorts in a request, did and stages in a cohort
MOST_EVENTS: Final = 1_000_000_000
_KEYS: Final = ("unit", "where", "did", "stage")
_KEYS_OF_DID: Final = ("event", "any_of", "where", "at_least", "at_most", "from", "to", "last")
_NOW: Final = {"person": "person_now.", "account": "account_now."}
_OWN: Final = ("person.", "account.", "person_now.", "account_now.", COHORT)


def read_cohorts(found: object, zone: ZoneInfo, stages: Collection[str], faults: Faults) -> dict[str, Cohort]:
    """The cohorts of a request's ``cohorts`` by name; good only where no fault is noted. None is none."""
    if found is None:
        return {}
    if not isinstance(found, Mapping) or len(found) > MOST:
        faults.add("cohorts", found, [f"an object of at most {MOST} cohorts by name"], "write cohorts by their names")
        return {}
    return {str(name): read_cohort(str(name), one, f"cohorts.{name}", zone, stages, faults) for name, one in found.items()}


def read_cohort(name: str, found: object, path: str, zone: ZoneInfo, stages: Collection[str], faults: Faults) -> Cohort:
    """One cohort, written at ``path``. Times without an offset are local to ``zone``."""
    if not isinstance(found, Mapping):
        faults.add(path, found, ['{"unit": "person", "did": {"event": "Signed In"}}'], "write an object")
        return Cohort(name, "person")
    faults.unknown_keys(found, _KEYS, path)
    reader = Reader(found, f"{path}." if path else "", faults)
    if not any(found.get(key) for key in _KEYS[1:]):
        faults.add(path, sorted(map(str, found)), _KEYS[1:], "a cohort needs where, did or stage")
    cohort = Cohort(
        name,
        reader.one_of("unit", SUBJECTS, "person"),
        reader.filters(),
        tuple(_did(one, at, zone, faults) for at, one in _several(reader, "did")),
        tuple(_stage(one, at, stages, faults) for at, one in _several(reader, "stage")),
    )
    _check_where(cohort, f"{reader.path}where", faults)
    return cohort


def resolve(name: str, entry: Entry, events: Collection[str], stages: Collection[str]) -> Cohort:
    """As written in a definition; times are UTC, and events those of the vocabulary. Faults are noted in the entry."""
    faults = Faults()
    written = {key: _as_json(entry.value(key)) for key in entry}
    cohort = read_cohort(name, written, "", ZoneInfo("UTC"), stages, faults)
    for fault in faults.found:
        message = f"'{fault.path}' of {entry.title} is {fault.found!r}: {fault.message}" if fault.path else fault.message
        entry.fault(key_path(fault.path) or "unit", message)
    for one in (selection for did in cohort.did for selection in did.selections):
        if one.event and one.event != ANY_EVENT and not one.event.startswith("$") and one.event not in events:
            entry.fault("did", f"unknown event '{one.event}' in {entry.title}{hint(one.event, events)}")
    return cohort


def cohort_as_json(cohort: Cohort) -> dict[str, object]:
    """The way back to what a request holds, every default filled in."""
    return {
        "unit": cohort.unit,
        "where": filters_as_json(cohort.where),
        "did": [_did_as_json(did) for did in cohort.did],
        "stage": list(cohort.stages),
    }


def _several(reader: Reader, key: str) -> list[tuple[str, object]]:
    """One value, or a list of them, each with its path."""
    found, path = reader.found.get(key), f"{reader.path}{key}"
    if isinstance(found, list):
        return [(f"{path}[{number}]", one) for number, one in enumerate(reader.items(key, MOST, key))]
    return [] if found is None else [(path, found)]


def _did(found: object, path: str, zone: ZoneInfo, faults: Faults) -> Did:
    if not isinstance(found, Mapping):
        faults.add(path, found, ['{"event": "Signed In", "at_least": 3}'], "write an object with event or any_of")
        return Did(())
    faults.unknown_keys(found, _KEYS_OF_DID, path)
    reader = Reader(found, f"{path}.", faults)
    common = reader.filters()
    selections = tuple(Selection(one.event, (*one.where, *common)) for one in reader.choices("a cohort's did"))
    most = None if found.get("at_most") is None else reader.number("at_most", 0, MOST_EVENTS, 0)
    least = reader.number("at_least", 0, MOST_EVENTS, 1 if most is None else 0)
    start, end = (None if found.get(key) is None else reader.moment(key, zone) for key in ("from", "to"))
    did = Did(selections, least, most, start, end, reader.duration("last", required=False))
    _check_did(did, path, found, faults)
    return did


def _check_did(did: Did, path: str, found: Mapping[str, object], faults: Faults) -> None:
    if did.at_most is not None and did.at_most < did.at_least:
        faults.add(f"{path}.at_most", did.at_most, [f"{did.at_least} or more"], "at_most is less than at_least")
    if did.start is not None and did.end is not None and did.start >= did.end:
        faults.add(f"{path}.to", found["to"], ["a time after from"], "the range is empty: to must be later than from")
    if did.last is not None and not (did.start is None and did.end is None):
        faults.add(f"{path}.last", found["last"], [None], "write either last, or from and to")
    _only_events([one for selection in did.selections for one in selection.where], f"{path}.where", faults)


def _only_events(filters: list[Filter], path: str, faults: Faults) -> None:
    for condition in conditions(filters):
        if condition.property.startswith(_OWN):
            faults.add(
                path, condition.property, ["properties.<name>"], "did asks about the event alone; use the cohort's where"
            )


def _check_where(cohort: Cohort, path: str, faults: Faults) -> None:
    root = _NOW[cohort.unit]
    for condition in conditions(cohort.where):
        if condition.property and not condition.property.startswith(root):
            faults.add(path, condition.property, [f"{root}<name>"], f"a cohort of {cohort.unit}s asks about {root}<name>")


def _stage(found: object, path: str, stages: Collection[str], faults: Faults) -> str:
    if isinstance(found, str) and found in stages:
        return found
    faults.add(path, found, sorted(stages), f"no such stage{suggestion(str(found), stages)}")
    return ""


def _did_as_json(did: Did) -> dict[str, object]:
    return {
        "any_of": [{"event": one.event, "where": filters_as_json(one.where)} for one in did.selections],
        "at_least": did.at_least,
        "at_most": did.at_most,
        "from": None if did.start is None else iso(did.start),
        "to": None if did.end is None else iso(did.end),
        "last": None if did.last is None else format_duration(did.last),
    }


def _as_json(value: object) -> object:
    """TOML's own dates as the texts that requests hold."""
    if isinstance(value, Mapping):
        return {key: _as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_json(item) for item in value]
    return value.isoformat() if isinstance(value, date | datetime) else value
