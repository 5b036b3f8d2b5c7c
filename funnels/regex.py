"""Is this text a regular expression? Asked of the engine that will run it: DuckDB's RE2 has no look-around, Python's has."""

from __future__ import annotations

from functools import lru_cache

import duckdb


@lru_cache(maxsize=256)
def regex_fault(pattern: str) -> str | None:
    """What RE2 has against ``pattern``, or None: ``regex_fault("(") == "missing ): ("``."""
    with duckdb.connect(":memory:", config={"threads": "1"}) as connection:
        try:
            connection.execute("select regexp_matches('', $pattern)", {"pattern": pattern})
        except duckdb.Error as error:
            return str(error).removeprefix("Invalid Input Error: ")
    return None
