"""A project's jobs with everything they are given from above: settings, its zone, definitions, the completeness mark."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from api.settings import Settings
from api.store import Project, open_store
from funnels.definitions.load import load
from funnels.models import stages
from ingest.lake import Lake
from ingest.progress import complete_until
from transforms import days
from transforms.build import BuildResult, build
from transforms.core import core
from transforms.engine import Limits
from transforms.identity import View
from transforms.layout import Rules
from transforms.night import check_everything
from transforms.retention import expire
from transforms.schedule import Job, Step
from transforms.tidy_job import tidy_job


def builder(settings: Settings, lake: Lake) -> Callable[[str, datetime], BuildResult]:
    """``run(project, now)`` reads definitions and zone anew each time; raises their errors and what ``build`` raises."""

    def run(project: str, now: datetime) -> BuildResult:
        known = _project(settings, project, now)
        definitions = load(settings.definitions_folder)
        until = complete_until(settings.folder.log, now).until  # before the events' version is read
        return build(
            lake,
            project,
            (
                *core(View(settings.runaway_links), definitions.accounts.domains(project), known.zone),
                *days.models(known.zone),
                *stages.models(definitions),
            ),
            until=until,
            definition_version=definitions.version,
            now=now,
            limits=_limits(settings),
        )

    return run


def tidier(settings: Settings, lake: Lake) -> Job:
    """Tidy with the settings of this deployment."""
    return tidy_job(lake, settings.tidy, Rules(file_bytes=settings.tidy_file), _limits(settings))


def _limits(settings: Settings) -> Limits:
    return Limits(f"{settings.build_memory >> 20}MiB", scratch=settings.folder.scratch)


def _project(settings: Settings, name: str, now: datetime) -> Project:
    with open_store(settings.store_address, settings.folder, now) as store:
        return store.project(name)


def upkeep(settings: Settings, lake: Lake, kept_days: Callable[[str], int | None]) -> tuple[list[Step], list[Step]]:
    """What the nightly run does before its build, and after it. ``kept_days(project)``: its retention, None for ever."""

    def expire_old(project: str, now: datetime) -> None:
        if days := kept_days(project):
            expire(lake, project, now - timedelta(days=days))
        if settings.rejected_days:
            expire(lake, project, now - timedelta(days=settings.rejected_days), ("rejected",))

    def check(project: str, now: datetime) -> None:
        check_everything(lake, project, timedelta(days=settings.dedup_days), now, _limits(settings))

    return [expire_old], [check]
