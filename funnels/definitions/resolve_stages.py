"""Stages as written -> stages resolved: conditions, the stages they lean on, and no circle among those."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from funnels.definitions.definition import SUBJECTS, Condition, Members, Rule, Selection, Stage, Subject
from funnels.definitions.toml_lines import KeyPath
from funnels.definitions.written import Entry, is_table
from funnels.filters import COHORT, Filter, conditions, parse_filters

ANY_EVENT: Final = "*"


def stage(name: str, entry: Entry, events: Collection[str], stages: Collection[str]) -> Stage:
    person, account = (entry.entry(subject, f"stage '{name}' ({subject})") for subject in SUBJECTS)
    resolved = Stage(
        name,
        entry.text("title", name),
        _rule("person", person, events, stages) if person else None,
        _account(account, events, stages) if account else None,
    )
    if "person" not in entry and "account" not in entry:
        entry.fault("person", f"stage '{name}' has neither 'person' nor 'account': say when it is entered")
    if isinstance(resolved.account, Members) and "person" not in entry:
        entry.fault("account", f"stage '{name}' counts members of an account but does not say when a person enters it")
    entry.finish()
    return resolved


def _account(entry: Entry, events: Collection[str], stages: Collection[str]) -> Rule | Members:
    if "members" not in entry:
        return _rule("account", entry, events, stages)
    members = Members(entry.whole("members"))
    for key in ("any", "all", "after", "within", "left_by"):
        if entry.value(key) is not None:
            entry.fault(key, f"{entry.title} has both 'members' and '{key}': leave one out")
    entry.finish()
    return members


def _rule(subject: Subject, entry: Entry, events: Collection[str], stages: Collection[str]) -> Rule:
    wanted = [key for key in ("any", "all") if key in entry]
    lists = {key: entry.entries(key, "condition") for key in ("any", "all")}
    if len(wanted) != 1:
        needs = "'any', 'all' or 'members'" if subject == "account" else "'any' or 'all'"
        entry.fault(wanted[-1] if wanted else "any", f"{entry.title} needs exactly one of {needs}")
        if subject == "account":
            entry.value("members")
    after = entry.choice("after", stages, "", noun="stage") or None
    within = entry.duration("within")
    if within is not None and "after" not in entry:
        entry.fault("within", f"{entry.title} has 'within' but no 'after': say after which stage")
    conditions = tuple(_condition(item, events) for item in lists[wanted[0]]) if wanted else ()
    for item, condition in zip(lists[wanted[0]] if wanted else [], conditions, strict=True):
        if subject == "person" and condition.people is not None and after is not None:
            item.fault("people", f"{item.title} counts people of the account, which 'after' a person's stage cannot bound")
    left_by = _left_by(subject, entry, conditions, events)
    entry.finish()
    return Rule(conditions, len(conditions) if wanted == ["all"] else 1, after, within, left_by)


def _left_by(
    subject: Subject, entry: Entry, entered_by: Iterable[Condition], events: Collection[str]
) -> tuple[Condition, ...]:
    """What ends a spell: an event, n times within a window at most; never how many people did it."""
    if "left_by" not in entry:
        return ()
    items = entry.entries("left_by", "leaving condition")
    leaving = tuple(_condition(item, events) for item in items)
    for item, condition in zip(items, leaving, strict=True):
        if condition.people is not None:
            item.fault("people", f"{item.title} counts people, which ends no spell: write an event, and 'times' if need be")
    if subject == "person" and any(condition.people is not None for condition in entered_by):
        entry.fault("left_by", f"{entry.title} counts people of the account, whom one person's leaving does not take along")
    return leaving


def _condition(entry: Entry, events: Collection[str]) -> Condition:
    chosen = selections(entry, events)
    names = " or ".join(selection.event for selection in chosen)
    condition = Condition(
        entry.text("label", names or "?"),
        chosen,
        entry.whole("times", 1),
        entry.whole("people") if "people" in entry else None,
        entry.duration("window"),
    )
    if "people" in entry and "times" in entry:
        entry.fault("times", f"{entry.title} has both 'times' and 'people': leave one out")
    entry.value("people")
    entry.finish()
    return condition


def selections(entry: Entry, events: Collection[str]) -> tuple[Selection, ...]:
    """The events that a condition (or the north star) chooses: ``event``, or ``any_of``, each with its filters."""
    where = filters(entry)
    single, several = entry.value("event"), entry.value("any_of")
    if (single is None) == (several is None):
        entry.fault("event" if several is None else "any_of", f"{entry.title} needs exactly one of 'event' or 'any_of'")
        return ()
    if single is not None:
        return (Selection(_event(entry, "event", entry.text("event"), events), where),)
    if not isinstance(several, list) or not several:
        entry.fault("any_of", f"'any_of' of {entry.title} is {several!r}: write a list of events")
        return ()
    return tuple(_one_of(entry, place, item, where, events) for place, item in enumerate(several))


def _one_of(entry: Entry, place: int, item: object, where: tuple[Filter, ...], events: Collection[str]) -> Selection:
    if is_table(item):
        inner = entry.element("any_of", place, item, f"choice {place + 1} of {entry.title}")
        own = filters(inner)
        selection = Selection(_event(inner, "event", inner.text("event"), events), (*own, *where))
        inner.finish()
        return selection
    return Selection(_event(entry, "any_of", str(item), events), where)


def _event(entry: Entry, key: str, name: str, events: Collection[str]) -> str:
    if name and name != ANY_EVENT and not name.startswith("$"):
        entry.known(key, name, events, "event")
    return name


def filters(entry: Entry) -> tuple[Filter, ...]:
    """As in ``POST /api/funnel``, but over the event alone: what a person is now does not belong to what happened then."""
    raw = entry.value("where")
    if raw is None:
        return ()
    parsed, faults = parse_filters(raw)
    for fault in faults:
        entry.fault(key_path(fault.path), f"'{fault.path}' of {entry.title} is {fault.found!r}: {fault.message}")
    for condition in conditions(parsed):
        if condition.property.startswith(("person.", "account.", "person_now.", "account_now.", COHORT)):
            message = f"'{condition.property}' in {entry.title} changes with time; filter by what the event itself carries"
            entry.fault("where", message)
    return parsed


def key_path(path: str) -> KeyPath:
    """``where[0].any[1].op`` -> ``("where", 0, "any", 1, "op")``."""
    return tuple(int(place) if place else name for place, name in re.findall(r"\[(\d+)\]|([^.\[\]]+)", path))


def leans_on(stages: Mapping[str, Stage], subject: Subject, name: str) -> list[tuple[Subject, str]]:
    """The stages that must be known before this one: the one it comes after, its members' own."""
    rule = stages[name].rule(subject)
    if isinstance(rule, Members):
        return [("person", name)]
    return [] if rule is None or rule.after is None else [(subject, rule.after)]


def check_order(stages: Mapping[str, Stage], entries: Mapping[str, Entry]) -> None:
    """Note circles, and stages that lean on one that this kind of subject never enters."""
    for name in stages:
        for subject in SUBJECTS:
            for other_subject, other in leans_on(stages, subject, name):
                if other != name and other in stages and stages[other].rule(other_subject) is None:
                    message = f"stage '{name}' comes after stage '{other}', which has no '{other_subject}'"
                    entries[name].fault(subject, message)
            circle = _circle(stages, subject, name)
            if circle:
                entries[name].fault(subject, f"stage '{name}' comes after itself: {' after '.join(circle)}")


def _circle(stages: Mapping[str, Stage], subject: Subject, name: str) -> list[str]:
    walked = [name]
    at: tuple[Subject, str] = (subject, name)
    while len(walked) <= len(stages) + 1:
        onward = [(kind, other) for kind, other in leans_on(stages, *at) if kind == subject and other in stages]
        if not onward:
            return []
        at = onward[0]
        walked.append(at[1])
        if at[1] == name:
            return walked
    return []
