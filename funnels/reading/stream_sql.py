"""The query behind streams: one row per event that may serve a step or is excluded, in no order.

    unit        who did it: person_id, account_id, or the number of a session (``session_spans``)
    time        microseconds since 1970
    mask, bars  bit k: may serve step k; bit x: is an event of exclusion x
    bot, internal
    event_id    where events of one instant must be told apart
    held0, ...  and value0, ...: JSON texts of what is held constant and of what is broken down by
    instant, last_instant    order strict: among the instants of all events of the unit
    spent       bit k: the unit had its first event of step k's names (first ever)

Filters at the top restrict steps only: they are part of ``mask`` where excluded events or strict neighbours are read, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from funnels.ask import ANY_EVENT, Choice, Exclude, Funnel, Step
from funnels.filter_sql import ACCOUNT_NOW, ACCOUNT_THEN, PERSON_NOW, Compiler, Parameters
from funnels.filters import COHORT, Filter
from funnels.reading.accounts import Accounts
from funnels.reading.session_units import SESSIONS
from funnels.reading.traits_then import joins, uses
from funnels.reading.who import Who

ACTORS: Final = "left join actors on actors.actor_id = events.actor_id"
MEMBERSHIPS: Final = """left join sole_memberships on sole_memberships.person_id = actors.person_id
    and sole_memberships.since <= events.time
    and (sole_memberships.until is null or events.time < sole_memberships.until)"""
PERSON: Final = "actors.person_id"
ACCOUNT: Final = "coalesce(events.account_id, sole_memberships.account_id)"
_UNITS: Final = {"person": PERSON, "account": ACCOUNT, "session": "session_spans.session"}
_PERSON_NOW: Final = f"left join people as {PERSON_NOW} on {PERSON_NOW}.person_id = {PERSON}"
_ACCOUNT_NOW: Final = f"left join accounts as {ACCOUNT_NOW} on {ACCOUNT_NOW}.account_id = {ACCOUNT}"
_SLACK: Final = timedelta(seconds=2)  # a preset's own tolerance of reversed steps, at most


@dataclass(frozen=True)
class Query:
    """One funnel as a query. ``internal``: the condition of ``funnels.traffic``; ``cohorts``: of each cohort by name."""

    funnel: Funnel
    as_of: datetime
    internal: str = "false"
    parameters: Parameters = field(default_factory=Parameters)
    cohorts: Mapping[str, str] = field(default_factory=dict)
    with_ids: bool = False
    unit: object = None  # read this one alone: its person_id, account_id, or the number of its session
    named: bool = False  # units will be named
    insiders: tuple[Filter, ...] = ()  # all of which hold of events that are internal traffic, whoever did them
    who: Callable[[], Who] | None = None  # the people, and with them the accounts, for events that are read without a query
    accounts: Callable[[Who], Accounts] | None = None
    prepare: Callable[[], None] | None = None  # makes the relations that it reads, if they are not there yet

    def text(self) -> str:
        """The SQL, whose values are then in ``parameters``; to be made once."""
        firsts = [number for number, step in enumerate(self.funnel.steps) if step.first_ever]
        parts = [f"first_{number} as ({self._first(self.funnel.steps[number])})" for number in firsts]
        parts.append(f"told as ({self._told()})")
        source = "told"
        if self.funnel.order == "strict":
            parts += [part.format(outside=self.outside) for part in (_RANKED, _NUMBERED)]
            source = "numbered"
        return f"with {', '.join(parts)}\n{self._select(source, firsts)}"

    def story(self) -> str:
        """All events of one unit by the names asked for, at any time, each with what filters and first-ever leave of it.

        ``named``: a step or an exclusion has its name; ``fits``: filters leave it one. To be made once, instead of ``text``.
        """
        firsts = [number for number, step in enumerate(self.funnel.steps) if step.first_ever]
        parts = [f"first_{number} as ({self._first(self.funnel.steps[number])})" for number in firsts]
        mask, joined = self._first_mask("told", firsts)
        return f"""
with {"".join(f"{part}, " for part in parts)}told as (
    select {self._unit} as unit, epoch_us(events.time) as time, events.event_id as event_id, events.event as name,
        events.bot as bot, {self.internal} as internal, {self._known()} as named, {self._mask(always=True)} as mask,
        {self._bars()} as bars{self._columns("held", self.funnel.hold)}
    from events {" ".join(self._joins())}
    where {self._named()} and {self._of_one()}
)
select told.* exclude (mask), mask <> 0 or bars <> 0 as fits, {mask} as mask from told {joined}"""

    @property
    def first_moment(self) -> datetime:
        """No event before it can be part of a chain: with a tolerance, each step may precede the one before it."""
        ties = self.funnel.ties
        slack = ties if isinstance(ties, timedelta) else _SLACK if self.funnel.preset else timedelta()
        return self.funnel.start - slack * (len(self.funnel.steps) - 1)

    @property
    def last_moment(self) -> datetime:
        return self.as_of if self.funnel.end > self.as_of else min(self.as_of, self.funnel.end + self.funnel.window)

    @property
    def takes_bots(self) -> bool:
        """Bots are left out unless the question asks about ``bot``."""
        return "bot" in self.funnel.properties

    @property
    def outside(self) -> str:
        """The condition under which a row of ``told`` is left out."""
        return "internal" if self.takes_bots else "(bot or internal)"

    @property
    def ids(self) -> bool:
        """Whether it matters which of a unit's events of one instant comes first."""
        by_id = self.funnel.breakdown is not None or self.funnel.preset is not None or self.funnel.reentry == "first"
        return self.with_ids or by_id

    @property
    def groups_by(self) -> tuple[str, ...]:
        return () if self.funnel.breakdown is None else self.funnel.breakdown.by

    def _told(self) -> str:
        return f"""
select {self._unit} as unit, epoch_us(events.time) as time, {self._identified} events.bot as bot,
    {self.internal} as internal, {self._mask()} as mask, {self._bars()} as bars
    {self._columns("held", self.funnel.hold)} {self._columns("value", self.groups_by)}
from events
{" ".join(self._joins())}
where {self._in_time()} and {self._named()} and {self._restricted()} and {self._of_one()}"""

    @property
    def _identified(self) -> str:
        needed = self.ids or any(step.first_ever for step in self.funnel.steps)
        return "events.event_id as event_id," if needed else ""

    @property
    def _unit(self) -> str:
        return _UNITS[self.funnel.unit]

    def _select(self, source: str, firsts: Sequence[int]) -> str:
        """Takes back from ``mask`` what is no first event; whoever has no unit keeps it, to be counted."""
        mask, joined = self._first_mask(source, firsts)
        bits = " | ".join(f"case when first_{number}.unit is null then 0 else {1 << number} end" for number in firsts)
        spent_column = f", cast({bits} as bigint) as spent" if firsts else ""
        others = "mask" if self._identified and self.ids else "mask, event_id" if self._identified else "mask"
        return f"""
select * from (
    select {source}.* exclude ({others}), {mask} as mask{spent_column}
    from {source} {joined}
    where {source}.mask <> 0 or {source}.bars <> 0
) where mask <> 0 or bars <> 0"""

    def _first_mask(self, source: str, firsts: Sequence[int]) -> tuple[str, str]:
        """The mask without what is no first event, and the joins that it needs."""
        mask = f"{source}.mask"
        for number in firsts:
            first = f"first_{number}"
            kept = f"{first}.unit is null or ({first}.time = {source}.time and {first}.event_id = {source}.event_id)"
            mask = f"({mask} & case when {kept} then -1 else ~cast({1 << number} as bigint) end)"
        return mask, " ".join(f"left join first_{number} on first_{number}.unit = {source}.unit" for number in firsts)

    def _first(self, step: Step) -> str:
        """Each unit's first event among the step's names, in all history until as_of, before any filter."""
        wanted = "true" if ANY_EVENT in step.event_names else self._among(sorted(step.event_names))
        bots = "true" if self.takes_bots else "not events.bot"
        last = f"events.time <= cast({self.parameters.add(self.as_of)} as timestamptz)"
        return f"""
select {self._unit} as unit, epoch_us(min(events.time)) as time,
    min(struct_pack("at" := events.time, id := events.event_id)).id as event_id
from events {" ".join(self._unit_joins())}
where {wanted} and {last} and {bots} and not {self.internal} and {self._unit} is not null and {self._of_one()}
group by all"""

    def _mask(self, *, always: bool = False) -> str:
        served = [self._served(step) for step in self.funnel.steps]
        top = self._compile(self.funnel.where) if always or self._reads_more else "true"
        return f"case when {top} then {_bits(served)} else 0 end"

    def _bars(self) -> str:
        return _bits([self._served(one) for one in self.funnel.exclude])

    def _served(self, part: Step | Exclude) -> str:
        choices = " or ".join(f"({self._choice(choice)})" for choice in part.choices)
        return f"({choices}) and {self._compile(part.where)}"

    def _choice(self, choice: Choice) -> str:
        name = "true" if choice.event == ANY_EVENT else f"events.event = {self.parameters.add(choice.event)}"
        return f"{name} and {self._compile(choice.where)}"

    def _columns(self, name: str, properties: Sequence[str]) -> str:
        compiler = self._compiler
        return "".join(f", {compiler.value(one)} as {name}{number}" for number, one in enumerate(properties))

    @property
    def _compiler(self) -> Compiler:
        return Compiler(self.parameters, self.funnel.zone, cohorts=self.cohorts)

    def _compile(self, filters: Sequence[object]) -> str:
        return self._compiler.all_of(filters)  # type: ignore[arg-type]

    @property
    def _reads_more(self) -> bool:
        """Whether events are read that ``where`` at the top does not restrict."""
        return bool(self.funnel.exclude) or self.funnel.order == "strict"

    def _restricted(self) -> str:
        return "true" if self._reads_more else self._compile(self.funnel.where)

    def _named(self) -> str:
        return "true" if self.funnel.order == "strict" else self._known()

    def _known(self) -> str:
        """A step or an exclusion has the event's name."""
        return "true" if self.funnel.takes_any_event else self._among(self.funnel.event_names)

    def _among(self, names: Sequence[str]) -> str:
        return f"events.event in ({', '.join(self.parameters.add(name) for name in names)})"

    def _of_one(self) -> str:
        return "true" if self.unit is None else f"{self._unit} = {self.parameters.add(self.unit)}"

    def _in_time(self) -> str:
        """Where a chain can lie. The month of an event is that of its time (later for times before the first month)."""
        first, end = self.parameters.add(self.first_moment), self.parameters.add(self.last_moment)
        months = self.parameters.add(self.first_moment.isoformat()[:7])  # strftime writes the year 999 with three digits
        return (
            f"events.time >= cast({first} as timestamptz) and events.time <= cast({end} as timestamptz)"
            f" and events.month >= {months}"
        )

    def _unit_joins(self) -> list[str]:
        """What it takes to know the unit."""
        more = {"person": [], "account": [MEMBERSHIPS], "session": [SESSIONS]}
        return [ACTORS, *more[self.funnel.unit]]

    def _joins(self) -> list[str]:
        asked = self.funnel.properties
        account_now = uses(ACCOUNT_NOW, asked)
        of_account = account_now or uses(ACCOUNT_THEN, asked) or any(name.startswith(COHORT) for name in asked)
        wanted = [
            (of_account and self.funnel.unit != "account", MEMBERSHIPS),
            (uses(PERSON_NOW, asked), _PERSON_NOW),
            (account_now, _ACCOUNT_NOW),
        ]
        then = joins(asked, self.parameters, person=PERSON, account=ACCOUNT)
        return [*self._unit_joins(), *(join for needed, join in wanted if needed), *then]


# Order strict: the place of each event's instant among those of all of the unit's events.
_RANKED: Final = """
ranked as (
    select *, dense_rank() over (partition by unit, {outside} order by time) - 1 as instant from told
)"""
_NUMBERED: Final = """
numbered as (
    select *, max(instant) over (partition by unit, {outside}) as last_instant from ranked
)"""


def _bits(conditions: Sequence[str]) -> str:
    """Bit k where condition k holds, as a bigint."""
    bits = " | ".join(f"case when {one} then {1 << number} else 0 end" for number, one in enumerate(conditions))
    return f"cast({bits or '0'} as bigint)"
