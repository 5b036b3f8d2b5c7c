"""Runs the checks: queries in ``sql/checks`` that must return no rows; a head says what a returned row would be."""

from __future__ import annotations

from typing import Final

from sql.loader import Query, load, names
from transforms.engine import Engine
from transforms.errors import CheckFailed, Violation

_EXAMPLES: Final = 3


def run(engine: Engine) -> int:
    """Runs every check whose relations the engine has; returns how many. Raises ``CheckFailed`` with all that failed."""
    queries = [query for query in (load("checks", name) for name in names("checks")) if engine.relations >= set(query.reads)]
    violations = [found for query in queries if (found := violation(engine, query))]
    if violations:
        raise CheckFailed(violations)
    return len(queries)


def violation(engine: Engine, query: Query) -> Violation | None:
    """How one check is broken, or None if its query returns no rows."""
    counted = f"select *, count(*) over () as violations from (\n{query.text.rstrip()}\n) limit {_EXAMPLES}"
    rows = engine.table(counted)
    if not rows.num_rows:
        return None
    columns = [name for name in rows.column_names if name != "violations"]
    examples = tuple(", ".join(f"{name}={row[name]}" for name in columns) for row in rows.to_pylist())
    return Violation(query.name, query.title, rows["violations"][0].as_py(), examples, query.text)
