"""The nightly look: every check over all rows, of which builds check no more than they moved.

What it finds is remembered apart from what builds say (``checks.NIGHT``), since an hourly repair looks elsewhere and would
say that all is well. It stands until the next night; a build of everything anew clears what it looks at itself.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from ingest.lake import Lake
from transforms import checks
from transforms.build import check_tables
from transforms.engine import DEFAULT_LIMITS, Limits
from transforms.errors import CheckFailed, Violation


def check_everything(
    lake: Lake, project: str, copies_within: timedelta, now: datetime, limits: Limits = DEFAULT_LIMITS
) -> None:
    """The newest events and the tables in force; raises ``CheckFailed`` with all that failed in either."""
    found: dict[str, Violation] = {}
    for look in (partial(checks.copies, lake, project, copies_within, limits), partial(check_tables, lake, project, limits)):
        try:
            look()
        except CheckFailed as failed:
            found |= {one.rule: one for one in failed.violations}
    violations = list(found.values())
    checks.remember(lake, project, now, violations, checks.NIGHT)
    if violations:
        raise CheckFailed(violations)
