"""Runs the checks: queries in ``sql/checks`` that must return no rows; a head says what a returned row would be.

What they said last is kept beside the tables, ``_checks/current``, whether the build was published or not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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
_CURRENT: Final = "current"


@dataclass(frozen=True)
class Checked:
    """What the checks of one build said: those without a violation held."""

    at: datetime
    violations: tuple[Violation, ...]


def run(engine: Engine, params: Mapping[str, object] | None = None) -> int:
    """Runs every check whose relations the engine has and whose parameters are given; returns how many.

    Raises ``CheckFailed`` with all that failed.
    """
    given = dict(params or {})
    known = [load("checks", name) for name in names("checks")]
    queries = [query for query in known if engine.relations >= set(query.reads) and query.parameters <= given.keys()]
    violations = [found for query in queries if (found := violation(engine, query, given))]
    if violations:
        raise CheckFailed(violations)
    return len(queries)


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


def remember(lake: Lake, project: str, at: datetime, violations: Sequence[Violation]) -> None:
    """Keeps what the checks of the build begun ``at`` said, in place of those before."""
    said = {"at": at.isoformat(), "violations": [asdict(one) for one in violations]}
    small_files(lake, project, _FOLDER).replace(_CURRENT, json.dumps(said, indent=1).encode())


def last(lake: Lake, project: str) -> Checked | None:
    """What the checks said last, None before any ran."""
    text = small_files(lake, project, _FOLDER).read(_CURRENT)
    if text is None:
        return None
    said = json.loads(text)
    violations = tuple(Violation(**{**one, "examples": tuple(one["examples"])}) for one in said["violations"])
    return Checked(datetime.fromisoformat(said["at"]), violations)
