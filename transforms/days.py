"""The tables of days, which need one thing from above: the zone in which a project's days begin and end.

A day is a day of the project's reporting zone, not of UTC: "active on Monday" is asked by people who live in one, and sums
over UTC days cannot be turned into it afterwards (its midnight cuts through them). A changed zone makes the rows anew.
"""

from __future__ import annotations

from typing import Final

from sql.loader import load
from transforms.model import Model

_ON_DAYS: Final = "select {table}.* from base.{table} semi join day_spans on day_spans.person_id = {table}.person_id"
_DAYS: Final = "between $least and $greatest"  # of all that is stale: other files need not be read
_PERSON_DAYS: Final = {
    "activity": f"{_ON_DAYS.format(table='activity')} and activity.day between day_spans.since and day_spans.until "
    f"where activity.day {_DAYS}",
    "sessions": f"{_ON_DAYS.format(table='sessions')} "
    "and cast(sessions.started at time zone $zone as date) between day_spans.since and day_spans.until "
    "where sessions.started between cast($least as timestamptz) - interval '2' day "
    "and cast($greatest as timestamptz) + interval '2' day",
}
# What a month's events made, as it lies there, and what else the days have that reach over its border.
_FILLED_DAYS: Final = {
    **{f"border_{name}": text for name, text in _PERSON_DAYS.items()},
    **{
        name: f"from (select * from came_{name} where person_id not in (select person_id from day_spans) "
        f"union all from narrow.border_{name})"
        for name in _PERSON_DAYS
    },
}
_ACCOUNTS: Final = """
select distinct account_id, day as since, day as until from changed_activity where account_id is not null
"""
_OF_ACCOUNTS: Final = (
    "select activity.* from base.activity semi join stale "
    "on stale.account_id = activity.account_id and stale.since = activity.day "
    f"where activity.day {_DAYS}"
)
# Leaves lie by person, so of accounts it is asked first who was ever there, also since the build (``account_people`` is not
# repaired yet): a scan that is told them does not read of others where they were.
_ACCOUNT_DAYS: Final = {
    "visitors": "select person_id from base.account_people semi join stale using (account_id) "
    "union select person_id from came_activity semi join stale using (account_id)",
    "activity": f"{_OF_ACCOUNTS} and activity.person_id in (select person_id from narrow.visitors)",
}
_FILLED_ACCOUNT_DAYS: Final = {
    "stale": f"{_ACCOUNTS} and day <= (select day from border)",
    "border_activity": _OF_ACCOUNTS,
    "activity": "from (select * from came_activity where day > (select day from border) "
    "union all from narrow.border_activity)",
}


def models(zone: str = "UTC") -> tuple[Model, ...]:
    """What a build runs after its own tables; ``zone`` is an IANA name such as ``Europe/Berlin``."""
    return (
        Model(
            load("models", "person_days"), {"zone": zone}, stale="from day_spans", narrow=_PERSON_DAYS, filling=_FILLED_DAYS
        ),
        Model(
            load("models", "account_days"),
            stale=_ACCOUNTS,
            narrow=_ACCOUNT_DAYS,
            filling=_FILLED_ACCOUNT_DAYS,
            given=load("models", "account_people").text,  # repaired by it, so never by one that was made otherwise
        ),
    )
