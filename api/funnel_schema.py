"""What the three questions about a funnel take, as OpenAPI describes it: schemas, and examples to be sent as they are."""

from __future__ import annotations

from typing import Any, Final

from funnels import explain, listing
from funnels.ask import COUNTS, ORDERS, REENTRIES, TOUCHES, TRAFFIC, UNITS, WITNESSES
from funnels.definitions.definition import SUBJECTS
from funnels.driver_sql import CANDIDATES
from funnels.filters import OPERATORS
from funnels.kernel import MAX_STEPS
from funnels.periods import GRAINS
from funnels.presets import PRESETS
from funnels.presets import explained as presets_explained
from funnels.request import MAX_BINS, MAX_BY, MAX_EXCLUSIONS, MAX_GROUPS, MAX_HELD
from funnels.survival import POINTS

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_TIME: Final[Schema] = {"type": "string", "examples": ["2026-01-31", "2026-01-31T12:00:00Z"]}
_DURATION: Final[Schema] = {
    "type": "string",
    "pattern": "^[0-9]{1,9}[smhdw]$",
    "examples": ["90s", "30m", "12h", "14d", "2w"],
}
_FILTER: Final[Schema] = {
    "type": "object",
    "description": "A condition, or any or all of several.",
    "properties": {
        "property": {
            **_TEXT,
            "examples": ["properties.plan", "country", "person.plan", "account_now.seats", "cohort:trial"],
        },
        "op": {"enum": list(OPERATORS)},
        "value": {},
        "any": {"type": "array", "items": {"type": "object"}},
        "all": {"type": "array", "items": {"type": "object"}},
    },
}
_WHERE: Final[Schema] = {"type": "array", "items": _FILTER, "default": []}
_EVENT: Final[Schema] = {
    "event": {**_TEXT, "description": "A name, or * for any event; or else any_of."},
    "any_of": {
        "type": "array",
        "items": {"oneOf": [_TEXT, {"type": "object", "properties": {"event": _TEXT, "where": _WHERE}}]},
    },
    "where": _WHERE,
}
_STEP: Final[Schema] = {
    "type": "object",
    "properties": {
        **_EVENT,
        "label": _TEXT,
        "within": {**_DURATION, "description": "The longest time since the step before."},
        "optional": {"type": "boolean", "default": False, "description": "Neither the first step nor the last."},
        "first_ever": {
            "type": "boolean",
            "default": False,
            "description": "Only the unit's first event of these names in all history, before any filter.",
        },
    },
}
_EXCLUDE: Final[Schema] = {
    "type": "object",
    "properties": {
        **_EVENT,
        "after": {"type": "integer", "description": "A required step, from 1; by default the first."},
        "before": {"type": "integer", "description": "A later required step; by default the last."},
    },
}
_DID: Final[Schema] = {
    "type": "object",
    "properties": {
        **_EVENT,
        "at_least": {"type": "integer", "minimum": 0, "description": "By default 1, or 0 beside at_most."},
        "at_most": {"type": "integer", "minimum": 0},
        "from": _TIME,
        "to": {**_TIME, "description": "Not included."},
        "last": {**_DURATION, "description": "So long before as_of, instead of from and to."},
    },
}
_COHORT: Final[Schema] = {
    "type": "object",
    "description": "Who satisfies all that is written.",
    "properties": {
        "unit": {"enum": list(SUBJECTS), "default": "person"},
        "where": {**_WHERE, "description": "On person_now. of persons, on account_now. of accounts."},
        "did": {"oneOf": [_DID, {"type": "array", "items": _DID}]},
        "stage": {"oneOf": [_TEXT, {"type": "array", "items": _TEXT}], "description": "Stages that were entered."},
    },
}
_PROPERTIES: Final[Schema] = {
    "steps": {"type": "array", "minItems": 1, "maxItems": MAX_STEPS, "items": _STEP},
    "from": {**_TIME, "description": "Entries count from here; a date is midnight in timezone."},
    "to": {**_TIME, "description": "The end of the entries, not included; later steps count until the window ends."},
    "timezone": {**_TEXT, "default": "UTC", "description": "An IANA name."},
    "window": {**_DURATION, "description": "From the entry to the last step, inclusive; at most 366d."},
    "order": {"enum": list(ORDERS), "default": "sequential"},
    "ties": {
        "type": "string",
        "default": "in_order",
        "description": "in_order: events of one instant may be taken in the order of the steps. strict: each step is later "
        "than the one before. A duration such as 2s: a step may precede the one before it by so much.",
    },
    "reentry": {"enum": list(REENTRIES), "default": "any", "description": "Which entries may begin a chain."},
    "witness": {"enum": list(WITNESSES), "default": "earliest", "description": "Whose times are told."},
    "unit": {"enum": list(UNITS), "default": "person"},
    "count": {"enum": list(COUNTS), "default": "units"},
    "hold": {
        "type": "array",
        "maxItems": MAX_HELD,
        "items": _TEXT,
        "default": [],
        "description": "Properties that all events of a chain must have the same value of.",
    },
    "exclude": {"type": "array", "maxItems": MAX_EXCLUSIONS, "items": _EXCLUDE, "default": []},
    "where": {**_WHERE, "description": "What may serve a step; exclusions are not filtered by it."},
    "breakdown": {
        "type": "object",
        "properties": {
            "by": {"type": "array", "minItems": 1, "maxItems": MAX_BY, "items": _TEXT},
            "attribution": {
                "oneOf": [{"enum": list(TOUCHES)}, {"type": "integer", "description": "A required step, from 1."}],
                "default": "first",
            },
            "limit": {"type": "integer", "minimum": 1, "maximum": MAX_GROUPS, "default": 25},
        },
    },
    "trend": {"enum": [*GRAINS, None], "default": None},
    "time_to_convert": {
        "type": "object",
        "properties": {
            "from": {"type": "integer", "description": "A step, from 1; by default the first."},
            "to": {"type": "integer", "description": "A later step; by default the last."},
            "bins": {"type": "integer", "minimum": 1, "maximum": MAX_BINS, "default": 20},
        },
    },
    "as_of": {**_TIME, "description": "Later events are not there; by default the moment up to which the data is complete."},
    "internal": {"enum": list(TRAFFIC), "default": "exclude", "description": "Internal traffic: left out, or put back in."},
    "cohorts": {
        "type": "object",
        "default": {},
        "description": "Cohorts by name, beside those of the definitions; cohort:<name> is then a property, true or false.",
        "additionalProperties": _COHORT,
    },
    "preset": {
        "enum": [*PRESETS, None],
        "default": None,
        "description": "Count by another product's rules. "
        + " ".join(f"{one.name}: {one.line}." for one in PRESETS.values()),
    },
}
_REQUIRED: Final = ["steps", "from", "to", "window"]

EXAMPLE: Final[Schema] = {
    "steps": [
        {
            "event": "Signed Up",
            "where": [{"property": "properties.plan", "op": "eq", "value": "free"}],
            "label": "Registered",
        },
        {"any_of": ["Project Created", {"event": "File Uploaded", "where": []}], "within": "7d"},
        {"event": "Invite Sent", "optional": True},
        {"event": "*", "where": [{"property": "properties.revenue", "op": "gt", "value": 0}], "label": "Paid"},
    ],
    "from": "2026-01-01",
    "to": "2026-02-01",
    "timezone": "UTC",
    "window": "14d",
    "order": "sequential",
    "ties": "in_order",
    "reentry": "any",
    "witness": "earliest",
    "unit": "person",
    "count": "units",
    "hold": [],
    "exclude": [{"event": "Account Deleted", "after": 1, "before": 4}],
    "where": [],
    "breakdown": {"by": ["properties.plan"], "attribution": "first", "limit": 25},
    "trend": "week",
    "time_to_convert": {"from": 1, "to": 4, "bins": 20},
    "as_of": None,
}
_SHORT: Final[Schema] = {name: EXAMPLE[name] for name in ("steps", "from", "to", "window", "exclude", "breakdown")}
_OF_LIST: Final[Schema] = {
    "state": {"enum": list(listing.STATES)},
    "step": {"type": "integer", "description": "With reached and dropped: the step, from 1."},
    "group": {"type": "array", "description": "With a breakdown: the values of one of its rows, or [] for the row other."},
    "limit": {"type": "integer", "minimum": 1, "maximum": listing.MOST, "default": 50},
    "after": {**_TEXT, "description": "The 'next' of the page before."},
}
_OF_UNIT: Final[Schema] = {
    "unit_id": {**_TEXT, "description": "Any id of the person (user:42, anonymous:7f3a, 42), an account's, or a session's."}
}
_OF_DRIVERS: Final[Schema] = {
    "drivers": {
        "type": "object",
        "properties": {
            "from": {"type": "integer", "description": "A required step, from 1; by default the first."},
            "to": {"type": "integer", "description": "A later required step; by default the last."},
            "period": {
                **_DURATION,
                "description": "Events in the first so long after step from are candidates, for those who had not reached "
                "step to by then; by default the time in which a quarter of the conversions happen.",
            },
            "limit": {"type": "integer", "minimum": 1, "maximum": CANDIDATES, "default": 50},
        },
    }
}


_ANSWER: Final = f"""
The answer. Shares are of 1, times in seconds, intervals Wilson's at 95 %; what has no base is null.

    steps            a row each: reached, its share from_start (with its interval) and from_previous (required) step, dropped
                     (whose witness ends here, unconverted), seconds_from_previous (median, p90, mean)
    entrants         = converted + pending (still can) + excluded + lost; conversion
    mature           the same funnel over entries whose window has closed: to moved back to as_of - window, never before from
    survival         Kaplan-Meier: the share converted after so many seconds, with its interval. Of more than
                     {POINTS} moments so many are told, evenly over the share, each row as it stands in the whole curve
    trend            a row per day, week or month: a funnel of its own; complete when no later event can change it
    time_to_convert  bins of equal width, closed on the left, the last on both sides
    groups           a row per group: steps, conversion, p_value against the rest and corrected over the groups; of those
                     beyond limit one row, other
    definition       the question with every default filled in; asked again, it is answered the same
    warnings         names that never occurred, with the nearest; an as_of that was brought back
    data             the version of the events, the build, complete_until, and how many events were left out
"""


def funnel_body() -> Schema:
    return _body({}, [], EXAMPLE)


def list_body() -> Schema:
    return _body(_OF_LIST, ["state"], {**_SHORT, "state": "dropped", "step": 2, "group": ["free"], "limit": 50})


def unit_body() -> Schema:
    return _body(_OF_UNIT, ["unit_id"], {**_SHORT, "unit_id": "user:42"})


def driver_body() -> Schema:
    example = {**{name: EXAMPLE[name] for name in ("steps", "from", "to", "window")}, "drivers": {"from": 1, "to": 4}}
    return _body(_OF_DRIVERS, [], example)


def answered() -> str:
    """The answer's fields, and what each preset changes."""
    return f"{_ANSWER.strip()}\n\n{presets_explained()}"


def codes() -> str:
    """What the codes of an explanation mean, as ``funnels.explain`` says it."""
    return (explain.__doc__ or "").strip()


def _body(own: Schema, required: list[str], example: Schema) -> Schema:
    schema = {"type": "object", "required": [*_REQUIRED, *required], "properties": {**_PROPERTIES, **own}}
    return {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}
