"""What the query API answers, figure by figure beside what was planted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import isclose
from typing import Any, Final

from ingest.demo import Company, Delivery, Truth
from ingest.demo.truth import STAGES, FunnelTruth

Ask = Callable[[str, Mapping[str, str]], Any]  # a path of the API and its parameters -> the answer's JSON

TITLES: Final = {"registered": "Registered", "activated": "Activated", "pql": "PQL", "paid": "Paid"}


@dataclass(frozen=True)
class Figure:
    """``found`` None: the answer lacks it."""

    planted: float | None
    found: float | None

    @property
    def is_right(self) -> bool:
        if self.planted is None or self.found is None:
            return self.planted is self.found
        return isclose(self.planted, self.found, rel_tol=1e-9, abs_tol=1e-9)


@dataclass(frozen=True)
class Row:
    """``share``: of the first row's first figure, as planted."""

    label: str
    figures: tuple[Figure, ...]
    share: float | None = None


@dataclass(frozen=True)
class Section:
    """A table: ``columns`` name the figures of each row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def is_right(self) -> bool:
        return all(figure.is_right for row in self.rows for figure in row.figures)


def sections(ask: Ask, company: Company, truth: Truth, delivery: Delivery) -> list[Section]:
    start, end = _day(company.start), _day(company.end)
    span = {"from": start.isoformat(), "to": end.isoformat()}
    people = ask("/api/funnels/plg", {**span, "unit": "person", "by": "channel"})
    accounts = ask("/api/funnels/plg", {**span, "unit": "account"})
    found = [
        _funnel("People", people["steps"], truth.people),
        _channels(people["groups"], truth),
        _funnel("Accounts", accounts["steps"], truth.accounts),
    ]
    if truth.virality.until > start:  # a shorter history has nobody old enough
        found.append(_virality(ask, truth, start))
    monday = start - timedelta(days=start.weekday())
    series = ask("/api/metrics/north-star", {"from": monday.isoformat(), "to": end.isoformat()})["series"]
    return [*found, _north_star(series, truth), _books(ask("/api/status", {})["outcomes"], delivery)]


def _funnel(subject: str, steps: list[dict[str, Any]], truth: FunnelTruth) -> Section:
    rows = []
    for place, stage in enumerate(STAGES):
        step = steps[place] if place < len(steps) else {}
        figures = (Figure(truth.reached[place], step.get("reached")), Figure(truth.by_path[place], step.get("by_path")))
        rows.append(Row(TITLES[stage], figures, truth.reached[place] / max(truth.reached[0], 1)))
    return Section(f"{subject}: registration to paid", ("reached", "by path"), tuple(rows))


def _channels(groups: list[dict[str, Any]], truth: Truth) -> Section:
    found = {group["values"][0]: [step.get("reached") for step in group["steps"]] for group in groups}
    rows = []
    for channel in sorted({*truth.people_by_channel, *found}, key=lambda name: -truth.people_by_channel.get(name, (0,))[0]):
        planted: tuple[int, ...] = truth.people_by_channel.get(channel, (0,) * 4)
        rows.append(Row(str(channel), tuple(map(Figure, planted, found.get(channel, [None] * 4)))))
    return Section("People by channel: reached", tuple(TITLES[stage] for stage in STAGES), tuple(rows))


def _virality(ask: Ask, truth: Truth, start: date) -> Section:
    planted = truth.virality
    found = ask("/api/metrics/viral-coefficient", {"from": start.isoformat(), "to": planted.until.isoformat()})
    base = planted.denominator
    figures = {
        "K, new users per user": Figure(planted.numerator / base if base else None, found["value"]),
        "… invited and signed up": Figure(planted.numerator, found["numerator"]),
        "… of users who could invite": Figure(base, found["denominator"]),
        "K into new accounts": Figure(planted.new_account / base if base else None, found["parts"]["k_out"]),
        "K into the inviter's account": Figure(planted.same_account / base if base else None, found["parts"]["k_in"]),
        "cycle time, median days": Figure(planted.cycle_days_median, found["parts"]["cycle_days_median"]),
    }
    rows = tuple(Row(label, (figure,)) for label, figure in figures.items())
    return Section(f"Viral coefficient, of sign-ups before {planted.until}", ("value",), rows)


def _north_star(series: list[dict[str, Any]], truth: Truth) -> Section:
    found = {date.fromisoformat(point["start"]): point["value"] for point in series}
    weeks = sorted({*truth.north_star, *found})
    rows = tuple(Row(f"week of {week}", (Figure(truth.north_star.get(week, 0), found.get(week)),)) for week in weeks)
    return Section("North star: accounts that completed five tasks in the week", ("accounts",), rows)


def _books(outcomes: Mapping[str, int], delivery: Delivery) -> Section:
    rejected = sum(count for outcome, count in outcomes.items() if outcome.startswith("rejected:"))
    figures = {
        "accepted": Figure(delivery.accepted, outcomes.get("accepted", 0)),
        "duplicates left out": Figure(delivery.duplicate, outcomes.get("duplicate", 0)),
        "rejected and kept apart": Figure(delivery.rejected, rejected),
    }
    return Section("What came in", ("calls",), tuple(Row(label, (figure,)) for label, figure in figures.items()))


def _day(milliseconds: int) -> date:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date()
