"""Tidy as a job of the table: every few minutes, and only where there is anything to gather, merge or settle."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from ingest.lake import Lake
from transforms.engine import Limits
from transforms.layout import Rules
from transforms.runs import Run
from transforms.schedule import Job, due
from transforms.tidy import Tidied, tidy, wanted

NAME: Final = "tidy"


def tidy_job(lake: Lake, cron: str, rules: Rules, limits: Limits) -> Job:
    """It looks when its hour has struck; only what it then finds to do is recorded as a run."""
    looked: dict[str, datetime] = {}

    def run(project: str, now: datetime) -> Tidied:
        return tidy(lake, project, now, rules=rules, limits=limits)

    def is_wanted(project: str, now: datetime) -> bool:
        if project in looked and not due(NAME, cron, [Run(NAME, project, looked[project], status="unchanged")], now):
            return False
        looked[project] = now
        return wanted(lake, project, now, rules)

    return Job(NAME, cron, run, is_wanted)
