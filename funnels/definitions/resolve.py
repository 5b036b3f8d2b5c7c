"""Events, funnels, the north star and virality as written -> as resolved. Faults are noted in the entries, never raised."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final

from funnels.definitions.definition import (
    SUBJECTS,
    Accounts,
    Event,
    NorthStar,
    Period,
    Stage,
    StageFunnel,
    Subject,
    Virality,
)
from funnels.definitions.resolve_stages import selections
from funnels.definitions.written import Entry
from transforms.domains import LEFT_BY

_PERIODS: Final[tuple[Period, ...]] = ("day", "week", "month")
_NO_TIME: Final = timedelta()


def event(name: str, entry: Entry) -> Event:
    description = entry.text("description")
    properties = entry.entry("properties", f"properties of event '{name}'")
    meanings = {key: properties.text(key) for key in properties} if properties else {}
    entry.finish()
    return Event(name, description, meanings)


def funnel(name: str, entry: Entry, stages: Mapping[str, Stage]) -> StageFunnel:
    resolved = StageFunnel(
        name,
        entry.text("title", name),
        tuple(step for step in entry.texts("steps") if entry.known("steps", step, stages, "stage")),
        entry.duration("window", required=True) or _NO_TIME,
        _subject(entry, "person"),
    )
    if len(set(resolved.steps)) < len(resolved.steps):
        entry.fault("steps", f"{entry.title} names a stage twice: a stage is entered once")
    _check_units(resolved, entry, stages)
    entry.finish()
    return resolved


def _check_units(resolved: StageFunnel, entry: Entry, stages: Mapping[str, Stage]) -> None:
    for step in resolved.steps:
        if stages[step].rule(resolved.unit) is None:
            entry.fault("steps", f"{entry.title} counts {resolved.unit}s, but stage '{step}' has no '{resolved.unit}'")


def north_star(entry: Entry, events: Collection[str]) -> NorthStar:
    per = entry.choice("per", _PERIODS, "week")
    resolved = NorthStar(
        entry.text("name"),
        entry.text("title"),
        _subject(entry, None),
        selections(entry, events),
        entry.whole("times", 1),
        next((period for period in _PERIODS if period == per), "week"),
    )
    entry.finish()
    return resolved


def virality(entry: Entry, events: Collection[str], stages: Mapping[str, Stage]) -> Virality:
    stage = entry.choice("stage", [name for name, stage in stages.items() if stage.person])
    horizon = entry.duration("horizon", required=True) or _NO_TIME
    sent, accepted = entry.entry("sent", "virality's 'sent'"), entry.entry("accepted", "virality's 'accepted'")
    for key, part in (("sent", sent), ("accepted", accepted)):
        if part is None and key not in entry:
            entry.fault(key, f"virality lacks '{key}'")
    resolved = Virality(
        stage,
        horizon,
        sent.choice("event", events) if sent else "",
        sent.text("invite_id", "invite_id") if sent else "",
        sent.text("email", "invitee_email") if sent else "",
        sent.text("layer", "layer") if sent else "",
        accepted.choice("event", events) if accepted else "",
        accepted.text("invite_id", "invite_id") if accepted else "",
    )
    for part in (sent, accepted, entry):
        if part is not None:
            part.finish()
    return resolved


def accounts(entry: Entry, events: Collection[str]) -> Accounts:
    resolved = Accounts(
        entry.names("email_domains"),
        tuple(name.lower() for name in entry.names("free_domains")),
        tuple(name.lower() for name in entry.names("company_domains")),
        entry.choice("left_by", events, LEFT_BY, "event"),
    )
    entry.finish()
    return resolved


def _subject(entry: Entry, default: str | None) -> Subject:
    found = entry.choice("unit", SUBJECTS, default)
    return "account" if found == "account" else "person"
