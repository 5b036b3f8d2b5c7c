"""The answers, by bookkeeping over the plan: the default definitions read once more, in plain Python.

Nothing of the engine is used. People are the plan's own people, so the truth needs no identity resolution; times are those a
collector can know (``Company.seen``).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from statistics import median
from typing import Final

from ingest.demo.shape import DAY, Company, Happening

STAGES: Final = ("registered", "activated", "pql", "paid")
HAND_RAISES: Final = frozenset({"Contact Sales Clicked", "Demo Requested"})
NEVER: Final = 1 << 62

Steps = tuple[int, int, int, int]  # one figure per stage
Entries = dict[str, int]  # stage -> when it was entered


@dataclass(frozen=True)
class FunnelTruth:
    """Subjects per stage: ``reached`` any way after registering, ``by_path`` through all stages before."""

    reached: Steps
    by_path: Steps


@dataclass(frozen=True)
class ViralityTruth:
    """Observed K of those who signed up at least ``horizon`` before the end: sign-ups in ``[start, until)``."""

    until: date
    numerator: int
    denominator: int
    new_account: int
    same_account: int
    cycle_days_median: float | None


@dataclass(frozen=True)
class Truth:
    people: FunnelTruth
    accounts: FunnelTruth
    people_by_channel: Mapping[str, Steps]  # reached
    virality: ViralityTruth
    north_star: Mapping[date, int]  # Monday -> accounts with five Task Completed in that week


def truth(company: Company, window_days: int = 90, horizon_days: int = 30) -> Truth:
    book = Book(company)
    channels = book.channels()
    by_channel: dict[str, dict[int, Entries]] = defaultdict(dict)
    for person, entries in book.people.items():
        if "registered" in entries:
            by_channel[channels[person]][person] = entries
    window = window_days * DAY
    return Truth(
        people=_funnel(book.people.values(), window),
        accounts=_funnel(book.accounts.values(), window),
        people_by_channel={name: _funnel(rows.values(), window).reached for name, rows in sorted(by_channel.items())},
        virality=_virality(book, horizon_days * DAY),
        north_star=_north_star(book),
    )


class Book:
    """Everything needed, by subject: lists of times in order, memberships, and when each stage was entered."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self.seen = sorted(((company.seen(h), h) for h in company.happenings), key=lambda pair: pair[0])
        self.since: dict[int, int] = {}  # person -> when they became a member
        self.account: dict[int, int] = {}  # person -> account
        for time, h in self.seen:
            if h.kind == "group" and h.account is not None and h.person not in self.since:
                self.since[h.person], self.account[h.person] = time, h.account
        self.times: dict[tuple[str, int], list[int]] = defaultdict(list)  # (event, person) -> times
        self.account_times: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)  # -> (time, person)
        for time, h in self.seen:
            if h.kind == "track":
                self.times[h.name, h.person].append(time)
                account = self.account_of(time, h)
                if account is not None:
                    self.account_times[h.name, account].append((time, h.person))
        self.busy = {a.index: _active_people(self.account_times["Task Completed", a.index]) for a in company.accounts}
        self.people = {p.index: self._person(p.index) for p in company.people}
        self.members: dict[int, list[int]] = defaultdict(list)
        for person, account in self.account.items():
            self.members[account].append(person)
        self.accounts = {a.index: self._account(a.index) for a in company.accounts}

    def account_of(self, time: int, happening: Happening) -> int | None:
        """The one the call names, else the person's membership at that time."""
        if happening.account is not None:
            return happening.account
        return self.account.get(happening.person) if time >= self.since.get(happening.person, NEVER) else None

    def channels(self) -> dict[int, str]:
        """Person -> the channel of their first happening; who came directly but signed up by an invitation was invited."""
        first: dict[int, str] = {}
        for _, h in self.seen:
            first.setdefault(h.person, h.touch or "direct")
            if h.name == "Signed Up" and "invite_id" in h.properties and first[h.person] == "direct":
                first[h.person] = "invite"
        return first

    def _person(self, person: int) -> Entries:
        registered = _nth(self.times["Signed Up", person], 1)
        week = [registered, registered + 7 * DAY]
        project = _nth([t for t in self.times["Project Created", person] if week[0] <= t <= week[1]], 1)
        task = _nth([t for t in self.times["Task Completed", person] if week[0] <= t <= week[1]], 3)
        usage = _burst(self.times["Report Exported", person], 5, 14 * DAY)
        hand = min(_nth(self.times[name, person], 1) for name in HAND_RAISES)
        busy = max(self.busy.get(self.account.get(person, -1), NEVER), self.since.get(person, NEVER))
        paid = _nth(self.times["Subscription Started", person], 1)
        return _entered(registered, max(project, task), min(usage, hand, busy), paid)

    def _account(self, account: int) -> Entries:
        def first_member(stage: str) -> int:
            return min((max(self.people[p].get(stage, NEVER), self.since[p]) for p in self.members[account]), default=NEVER)

        usage = _burst([t for t, _ in self.account_times["Report Exported", account]], 5, 14 * DAY)
        hand = min(_nth([t for t, _ in self.account_times[name, account]], 1) for name in HAND_RAISES)
        paid = _nth([t for t, _ in self.account_times["Subscription Started", account]], 1)
        return _entered(first_member("registered"), first_member("activated"), min(usage, hand, self.busy[account]), paid)


def _entered(*times: int) -> Entries:
    return {stage: time for stage, time in zip(STAGES, times, strict=True) if time < NEVER}


def _nth(times: list[int], n: int) -> int:
    return times[n - 1] if len(times) >= n else NEVER


def _burst(times: list[int], n: int, window: int) -> int:
    """When ``n`` of the ordered times first lay within the window, both ends included."""
    return next((last for first, last in zip(times, times[n - 1 :], strict=False) if last - first <= window), NEVER)


def _active_people(done: list[tuple[int, int]], n: int = 3, window: int = 7 * DAY) -> int:
    """When first ``n`` different people had done something within the window before that moment."""
    for index, (time, _) in enumerate(done):
        since = bisect_left(done, (time - window, -1))
        if len({person for _, person in done[since : index + 1]}) >= n:
            return time
    return NEVER


def _funnel(subjects: Iterable[Entries], window: int) -> FunnelTruth:
    reached, by_path = [0] * 4, [0] * 4
    for entries in subjects:
        if "registered" not in entries:
            continue
        before, unbroken = entries["registered"], True
        latest = before + window
        for step, stage in enumerate(STAGES):
            time = entries.get(stage, NEVER)
            reached[step] += entries["registered"] <= time <= latest
            unbroken = unbroken and before <= time <= latest
            by_path[step] += unbroken
            before = time
    return FunnelTruth(_steps(reached), _steps(by_path))


def _steps(figures: list[int]) -> Steps:
    return figures[0], figures[1], figures[2], figures[3]


def _virality(book: Book, horizon: int) -> ViralityTruth:
    until = max(book.company.end - horizon, book.company.start)
    signed_up = {person: entries["registered"] for person, entries in book.people.items() if "registered" in entries}
    base = {person for person, time in signed_up.items() if time < until}
    cycles, scopes = [], Counter[bool]()
    for invitee, (inviter, account) in _credits(book, signed_up).items():
        passed = signed_up[invitee] - signed_up.get(inviter, NEVER)
        if inviter in base and 0 <= passed <= horizon:
            cycles.append(passed / DAY)
            scopes[account is not None and book.account.get(invitee) == account] += 1
    return ViralityTruth(
        until=_day(until),
        numerator=len(cycles),
        denominator=len(base),
        new_account=scopes[False],
        same_account=scopes[True],
        cycle_days_median=median(cycles) if cycles else None,
    )


def _credits(book: Book, signed_up: Mapping[int, int]) -> dict[int, tuple[int, int | None]]:
    """Invitee -> (inviter, inviter's account), of the first invitation each accepted that brought a new user."""
    accepted: dict[str, tuple[int, int]] = {}
    for time, h in book.seen:
        if h.name == "Invite Accepted":
            accepted.setdefault(str(h.properties["invite_id"]), (time, h.person))
    by_email = {p.email: p.index for p in book.company.people if p.index in signed_up}
    found: dict[int, tuple[int, int, int | None]] = {}
    for time, h in book.seen:
        if h.name != "Invite Sent":
            continue
        invitee = by_email.get(str(h.properties["invitee_email"]), -1)
        at, invitee = accepted.get(str(h.properties["invite_id"]), (signed_up.get(invitee, NEVER), invitee))
        if invitee != h.person and signed_up.get(invitee, -1) >= time and at < found.get(invitee, (NEVER,))[0]:
            found[invitee] = (at, h.person, book.account_of(time, h))
    return {invitee: (inviter, account) for invitee, (_, inviter, account) in found.items()}


def _north_star(book: Book) -> dict[date, int]:
    first, last = _monday(book.company.start), _monday(book.company.end - 1)
    active = dict.fromkeys(range(first, last + 1, 7 * DAY), 0)
    for account in book.company.accounts:
        weeks = Counter(_monday(time) for time, _ in book.account_times["Task Completed", account.index])
        for week, times in weeks.items():
            active[week] += times >= 5
    return {_day(week): count for week, count in active.items()}


def _monday(time: int) -> int:
    return time - (time - 4 * DAY) % (7 * DAY)  # 1970-01-05 was a Monday


def _day(time: int) -> date:
    return datetime.fromtimestamp(time / 1000, UTC).date()
