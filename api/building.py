"""A project's build with everything it is given from above: its zone, the definitions and the completeness mark."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from api.settings import Settings
from api.store import Project, open_store
from funnels import stages
from funnels.load import load
from ingest.lake import Lake
from ingest.progress import complete_until
from transforms import days
from transforms.build import CORE, BuildResult, build
from transforms.domains import with_domains
from transforms.engine import Limits


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
                *with_domains(CORE, definitions.accounts.domains(project)),
                *days.models(known.zone),
                *stages.models(definitions),
            ),
            until=until,
            definition_version=definitions.version,
            now=now,
            limits=Limits(f"{settings.build_memory >> 20}MiB"),
        )

    return run


def _project(settings: Settings, name: str, now: datetime) -> Project:
    with open_store(settings.store_address, settings.folder, now) as store:
        return store.project(name)
