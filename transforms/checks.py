"""Runs the checks: queries in ``sql/checks`` that must return no rows; a head says what a returned row would be.

What they said last is kept beside the tables, whether the build was published or not: ``_checks/current`` in a build,
``_checks/night`` in the nightly look.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

from ingest.lake import Lake
from sql.loader import Query, load, names
from transforms.engine import DEFAULT_LIMITS, Engine, Limits
from transforms.errors import CheckFailed, Violation
from transforms.small_files import small_files

_EXAMPLES: Final = 3
_FOLDER: Final = "_checks"
CURRENT: Final = "current"
NIGHT: Final = "night"


@dataclass(frozen=True)
class Checked:
    """What the checks of one build said: those without a violation held."""

    at: datetime
    violations: tuple[Violation, ...]


def run(
    engine: Engine,
    params: Mapping[str, object] | None = None,
    *,
    months: Sequence[str] = (),
    at_night: bool = True,
    found: Callable[[], Sequence[Violation]] | None = None,
) -> int:
    """Runs every check whose relations the engine has and whose parameters are given; returns how many.

    ``at_night``: also those that make from all events again what a model makes of them; a build leaves them out.
    ``months``: the events of each month, as relations of a query, for checks that look at one event at a time or at those of
    a month: of a year they would need more memory than there is.
    ``found``: tells what ``of_events`` found, which somebody ran already.
    Raises ``CheckFailed`` with all that failed.
    """
    given = dict(params or {})
    left_out = () if at_night else AT_NIGHT
    queries = [query for query in _known(engine) if query.parameters <= given.keys() and query.name not in left_out]
    violations = []
    for query in queries:
        if found is None or query.name not in _OF_EVENTS:
            violations += _by_month(engine, query, given, months if query.name in _OF_A_MONTH else ())
    if found is not None:
        violations += found()
    if violations:
        raise CheckFailed(violations)
    return len(queries)


def of_events(engine: Engine, months: Sequence[str]) -> list[Violation]:
    """Runs the checks that need no more than the events of a month, until the engine is interrupted."""
    return [one for name in _OF_EVENTS for one in _by_month(engine, load("checks", name), {}, months)]


def _by_month(engine: Engine, query: Query, params: Mapping[str, object], months: Sequence[str]) -> list[Violation]:
    """How a check is broken by the first month that breaks it; by all rows where there are no months."""
    for month in months or (None,):
        if engine.interrupted:
            break
        with _narrowed(engine, {"events": f"from {month}"} if month else {}):
            if month and query.name == _OF_IDS and not _repeated(engine, "events", "event_id"):
                continue
            if found := violation(engine, query, params):
                return [found]
    return []


def _repeated(engine: Engine, relation: str, column: str) -> bool:
    """Whether two rows have one value, or one hash. Sorted numbers tell it in a third of the time that groups take."""
    hashes = engine.table(f"select hash({column}) as hashed from {relation}")["hashed"].to_numpy().copy()
    hashes.sort()
    return bool((hashes[1:] == hashes[:-1]).any())


def run_repaired(engine: Engine) -> int:
    """Runs the checks over what a repair moved: events that came, people, accounts and invitations of whom any row changed.

    Those that cannot be narrowed are run as they are, where that is cheap, else they are left for the night.
    Raises ``CheckFailed`` with all that failed.
    """
    touched = {name: engine.make(name, text) for name, text in _TOUCHED.items()}
    people = _rows_of_few(engine) if touched["touched_people"] <= _FEW else _BY_PERSON
    own = {**_OWN, "event_ids_are_unique": {"events": _copies(engine)}, **_in_time(engine, people)}
    queries = [query for query in _known(engine) if query.name not in AT_NIGHT and not query.parameters]
    violations = []
    for query in queries:
        with _narrowed(engine, own.get(query.name) or _narrow(query, people)):
            if found := violation(engine, query):
                violations.append(found)
    if violations:
        raise CheckFailed(violations)
    return len(queries)


def reads() -> set[str]:
    """The relations that checks read, of those that there are."""
    return {name for check in names("checks") for name in load("checks", check).reads}


def _known(engine: Engine) -> list[Query]:
    known = [load("checks", name) for name in names("checks")]
    return [query for query in known if engine.relations >= set(query.reads)]


def _rows_of_few(engine: Engine) -> dict[str, str]:
    """Keeps the rows of few touched people: a dozen checks read them, each time out of hundreds of files."""
    kept = {name: f"{name}_of_touched" for name in _BY_PERSON if name in engine.relations}
    for name, rows in kept.items():
        engine.make(rows, _BY_PERSON[name])
    return {**_BY_PERSON, **{name: f"select * from {rows}" for name, rows in kept.items()}}


def _narrow(query: Query, people: Mapping[str, str]) -> Mapping[str, str]:
    """What the relations of a check are to be in a repair; those that are not named stay as they are."""
    for narrow in (people, _BY_ACCOUNT, _BY_SUBJECT):
        if narrow.keys() >= set(query.reads):
            return {name: narrow[name] for name in query.reads}
    return {}


def _copies(engine: Engine) -> str:
    """The events that bear an id that came, in its month; other months are not even opened."""
    months = engine.table("select distinct month from base.moved_events where came")["month"].to_pylist()
    named = ", ".join("'" + month.replace("'", "''") + "'" for month in sorted(months)) or "null"
    return f"select * from base.events semi join ({_CAME}) as came using (event_id, month) where month in ({named})"


def _in_time(engine: Engine, people: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
    """For checks of rows that are equal or close to each other: those of the time in which a repair put any."""
    found: dict[str, Mapping[str, str]] = {}
    rows = {**people, **_BY_ACCOUNT}
    for check, table in _ON_DAYS.items():
        edges = engine.table(f"select min(day) as least, max(day) as greatest from came_{table}").to_pylist()[0]
        days = "false" if edges["least"] is None else f"day between date '{edges['least']}' and date '{edges['greatest']}'"
        found[check] = {table: f"{rows[table]} where {days}"}
    if "sessions" in engine.relations:
        found |= _near_sessions(engine, people)
    return found


def _near_sessions(engine: Engine, people: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
    edges = engine.table("select min(started) as least, max(ended) as greatest from came_sessions").to_pylist()[0]
    text = people["sessions"]
    if edges["least"] is None:
        near = f"{text} where false"
    else:
        least, greatest = (f"timestamptz '{edges[name].isoformat()}'" for name in ("least", "greatest"))
        near = f"{text} where started <= {greatest} + {_SILENCE} and ended >= {least} - {_SILENCE}"
    lost = "select * from base.sessions where person_id in (select person_id from lost_people)"
    others = "select * from near_sessions where person_id not in (select person_id from lost_people)"
    engine.make("near_sessions", near)  # more than one check, and each more than once, reads them out of many files
    is_lost = engine.make("lost_people", _LOST_PEOPLE)
    return {
        "sessions_do_not_touch": {"sessions": "from near_sessions"},
        "sessions_are_unique": {
            "sessions": f"{others} union all {lost}" if is_lost else "from near_sessions",
            "people": people["people"],
        },
    }


@contextmanager
def _narrowed(engine: Engine, narrow: Mapping[str, str]) -> Iterator[None]:
    for name, text in narrow.items():
        engine.view(f"narrow.{name}", text)
    try:
        yield
    finally:
        for name in narrow:
            engine.drop(f"narrow.{name}")


# Of a repair: whoever has a row that went or came.
_TOUCHED: Final[Mapping[str, str]] = {
    "touched_people": " union ".join(
        f"select person_id from changed_{table}"
        for table in ("actors", "memberships", "sole_memberships", "people", "sessions", "activity", "person_days")
    ),
    "touched_accounts": " union ".join(
        f"select account_id from changed_{table}" for table in ("accounts", "account_days", "memberships")
    ),
    "touched_actors": """
        select actor_id from changed_seen_ids
        union select actor_id from base.moved_id_links
        union select owner_actor_id from base.moved_id_links
    """,
    "touched_subjects": """
        select subject_id from changed_stages
        union select person from changed_people
        union select account_id from changed_accounts
    """,
}
_BY_PERSON: Final[Mapping[str, str]] = {
    **{
        table: f"select * from base.{table} semi join touched_people using (person_id)"
        for table in ("actors", "memberships", "sole_memberships", "people", "sessions", "activity", "person_days")
    },
    "seen_ids": "select * from base.seen_ids where actor_id in "
    "(select actor_id from base.actors semi join touched_people using (person_id))",
}
_BY_ACCOUNT: Final[Mapping[str, str]] = {
    table: f"select * from base.{table} semi join touched_accounts using (account_id)"
    for table in ("accounts", "account_days", "memberships")
}
_BY_SUBJECT: Final[Mapping[str, str]] = {
    "stages": "select * from base.stages semi join changed_stages using (subject_id)",
}
_ON_DAYS: Final[Mapping[str, str]] = {
    "activity_is_unique": "activity",
    "person_days_are_unique": "person_days",
    "account_days_are_unique": "account_days",
}
_FEW: Final = 1_000  # people whose rows are kept while the checks look at them
_SILENCE: Final = "interval '30' minute"
_LOST_PEOPLE: Final = "select person_id from touched_people where person_id not in (select person_id from base.people)"
_CAME: Final = "select * exclude (came) from base.moved_events where came"
# Checks that look at two sides, of which either can have moved.
_OWN: Final[Mapping[str, Mapping[str, str]]] = {
    "events_carry_one_identity": {"events": _CAME},
    "actors_cover_events": {"events": _CAME},
    "ids_of_links_do_not_collide": {
        "seen_ids": "select * from base.seen_ids semi join touched_actors using (actor_id)",
        "id_links": "select * from base.id_links where actor_id in (select actor_id from touched_actors) "
        "or owner_actor_id in (select actor_id from touched_actors)",
    },
    "memberships_belong_to_people_and_accounts": {
        "memberships": "select * from base.memberships where person_id in (select person_id from touched_people) "
        "or account_id in (select account_id from touched_accounts)",
    },
    "stages_belong_to_people_and_accounts": {
        "stages": "select * from base.stages semi join touched_subjects using (subject_id)"
    },
    "invites_are_between_people": {
        "invites": "select * from base.invites where invite_id in (select invite_id from changed_invites) "
        "or inviter in (select person from changed_people) or invitee in (select person from changed_people)",
    },
    "invites_are_unique": {"invites": "select * from base.invites semi join changed_invites using (invite_id)"},
    "invites_credit_a_person_once": {"invites": "select * from base.invites semi join changed_invites using (invitee)"},
}
_OF_IDS: Final = "event_ids_are_unique"
_OF_EVENTS: Final = (_OF_IDS, "events_carry_one_identity")
_OF_A_MONTH: Final = (*_OF_EVENTS, "actors_cover_events")
# A look at all events (or days) each, and a join for every one of them: of 99 M events 50 of a whole build's 780 seconds.
AT_NIGHT: Final = (
    "account_days_add_up",
    "account_people_cover_activity",
    "seen_ids_cover_events",
    "stages_are_entered_by_events",
)


def copies(lake: Lake, project: str, limit: timedelta, limits: Limits = DEFAULT_LIMITS) -> int:
    """The checks of the stored events alone, with ``limit`` (``dedup_days``) for copies: the nightly look at the lake."""
    with Engine(lake, project, {"events": lake.version(project, "events")}, limits) as engine:
        return run(engine, {"dedup_limit": limit})


def violation(engine: Engine, query: Query, params: Mapping[str, object] | None = None) -> Violation | None:
    """How one check is broken, or None if its query returns no rows."""
    wanted = {name: value for name, value in (params or {}).items() if name in query.parameters}
    counted = f"select *, count(*) over () as violations from (\n{query.text.rstrip()}\n) limit {_EXAMPLES}"
    rows = engine.table(counted, wanted)
    if not rows.num_rows:
        return None
    columns = [name for name in rows.column_names if name != "violations"]
    examples = tuple(", ".join(f"{name}={row[name]}" for name in columns) for row in rows.to_pylist())
    return Violation(query.name, query.title, rows["violations"][0].as_py(), examples, query.text)


def remember(lake: Lake, project: str, at: datetime, violations: Sequence[Violation], where: str = CURRENT) -> None:
    """Keeps what the checks of the build, or of the night, begun ``at`` said, in place of those before."""
    said = {"at": at.isoformat(), "violations": [asdict(one) for one in violations]}
    small_files(lake, project, _FOLDER).replace(where, json.dumps(said, indent=1).encode())


def leave_to_night(lake: Lake, project: str, at: datetime) -> None:
    """After a build of everything anew, of what the last night said only that stands which such a build leaves to it."""
    said = _said(lake, project, NIGHT)
    if said is not None:
        remember(lake, project, at, [one for one in said.violations if one.rule in AT_NIGHT], NIGHT)


def last(lake: Lake, project: str) -> Checked | None:
    """What the checks said last, in a build and at night, and when the later of the two was; None before any ran."""
    said = [one for where in (NIGHT, CURRENT) if (one := _said(lake, project, where)) is not None]
    if not said:
        return None
    found = {violation.rule: violation for one in said for violation in one.violations}
    return Checked(max(one.at for one in said), tuple(found.values()))


def _said(lake: Lake, project: str, where: str) -> Checked | None:
    text = small_files(lake, project, _FOLDER).read(where)
    if text is None:
        return None
    said = json.loads(text)
    violations = tuple(Violation(**{**one, "examples": tuple(one["examples"])}) for one in said["violations"])
    return Checked(datetime.fromisoformat(said["at"]), violations)
