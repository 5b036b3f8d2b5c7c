"""The tables of days, which need one thing from above: the zone in which a project's days begin and end.

A day is a day of the project's reporting zone, not of UTC: "active on Monday" is asked by people who live in one, and sums
over UTC days cannot be turned into it afterwards (its midnight cuts through them). A changed zone makes the rows anew.
"""

from __future__ import annotations

from sql.loader import load
from transforms.build import Model


def models(zone: str = "UTC") -> tuple[Model, ...]:
    """What a build runs after its own tables; ``zone`` is the IANA name, such as ``Europe/Berlin``, that ``core`` got."""
    return Model(load("models", "person_days"), params={"zone": zone}), Model(load("models", "account_days"))
