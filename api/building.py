"""A project's build with everything it is given from above: the deployment's definitions and the completeness mark."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from api.settings import Settings
from funnels import stages
from funnels.load import load
from ingest.lake import Lake
from ingest.progress import complete_until
from transforms.build import CORE, BuildResult, build
from transforms.checks import copies
from transforms.engine import Limits
from transforms.retention import expire
from transforms.schedule import Step


def builder(settings: Settings, lake: Lake) -> Callable[[str, datetime], BuildResult]:
    """``run(project, now)`` reads the definitions anew each time; raises ``DefinitionError`` and what ``build`` raises."""

    def run(project: str, now: datetime) -> BuildResult:
        definitions = load(settings.definitions_folder)
        until = complete_until(settings.folder.log, now).until  # before the events' version is read
        return build(
            lake,
            project,
            (*CORE, *stages.models(definitions)),
            until=until,
            definition_version=definitions.version,
            now=now,
            limits=Limits(f"{settings.build_memory >> 20}MiB"),
        )

    return run


def upkeep(settings: Settings, lake: Lake, kept_days: Callable[[str], int | None]) -> tuple[list[Step], list[Step]]:
    """What the nightly run does before its build, and after it. ``kept_days(project)``: its retention, None for ever."""

    def expire_old(project: str, now: datetime) -> None:
        if days := kept_days(project):
            expire(lake, project, now - timedelta(days=days))

    def look_for_copies(project: str, now: datetime) -> None:
        copies(lake, project, timedelta(days=settings.dedup_days))

    return [expire_old], [look_for_copies]
