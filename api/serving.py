"""What all routes share: who asks, for which project, with which parameters; and where the answer is worked out.

Answers are worked out in threads of their own, a bounded number at a time, so that a slow question delays the next one and
nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from api import formats
from api.auth import caller
from api.clock import now
from api.parameters import FORMAT, Parameter, read
from api.saved import SavedFunnels
from api.settings import Settings
from api.sources import Sources
from api.store import Project
from funnels.definitions.definition import Definitions
from ingest.keys import Key
from ingest.lake import Lake
from ingest.progress import complete_until
from transforms.domains import Domains
from transforms.engine import Engine, Limits
from transforms.identity import View
from transforms.manifest import Manifest, current, published
from transforms.undo import EVER

Answer = Mapping[str, Any]
NO_BUILD: Final = "There is no build yet: run 'jcurve build', or wait for the hourly one."


@dataclass(frozen=True)
class Asked:
    """One question, checked. ``manifest`` is the build that it is answered from, None before the first."""

    key: Key
    project: Project
    parameters: Mapping[str, Any]
    now: datetime
    manifest: Manifest | None

    @property
    def data(self) -> dict[str, Any]:
        """What stands as ``data`` in an answer read from a build."""
        if self.manifest is None:
            return {"manifest": None, "complete_until": None}
        return {"manifest": self.manifest.number, "complete_until": self.manifest.complete_until}


Work = Callable[[Asked], Answer]


@dataclass(frozen=True)
class Serving:
    settings: Settings
    lake: Lake
    keys: Callable[[str], Key | None]
    projects: Callable[[str], Project]
    definitions: Callable[[], Definitions]
    saved: SavedFunnels
    sources: Sources
    limiter: anyio.CapacityLimiter
    quick_limiter: anyio.CapacityLimiter  # for what is read in a moment, so that the status is there while queries run

    async def answer(
        self,
        request: Request,
        parameters: Sequence[Parameter] | None,
        work: Work,
        *,
        quick: bool = False,
        columns: Sequence[str] = (),
    ) -> Response:
        """Authenticate, read the parameters, run ``work`` in a thread, and write its answer in the format asked for.

        ``parameters`` None hands them on as they came, for ``funnels`` to read; ``columns`` head an empty list.
        """
        key = self.caller(request)
        formats.wanted(request)
        answer = await anyio.to_thread.run_sync(
            lambda: work(self._asked(key, request.query_params, parameters)),
            limiter=self.quick_limiter if quick else self.limiter,
        )
        return formats.respond(request, answer, columns)

    def caller(self, request: Request) -> Key:
        return caller(request.headers.get("authorization"), self.keys)

    def _asked(self, key: Key, given: Mapping[str, str], parameters: Sequence[Parameter] | None) -> Asked:
        project = self.projects(key.project)
        if parameters is None:
            values: Mapping[str, Any] = {name: text for name, text in given.items() if name != FORMAT.name}
        else:
            values = read(given, parameters, project.timezone)
        return Asked(key, project, values, now(), current(self.lake, project.name))

    def manifest(self, asked: Asked, number: int) -> Manifest | None:
        """The build that a cursor names, while it is kept; else the one in force."""
        if asked.manifest is not None and asked.manifest.number == number:
            return asked.manifest
        return next((m for m in published(self.lake, asked.project.name) if m.number == number), asked.manifest)

    def manifest_or_empty(self, asked: Asked) -> Manifest:
        """Before the first build, one without tables, so that answers keep their shape."""
        if asked.manifest is not None:
            return asked.manifest
        until = complete_until(self.settings.folder.log, asked.now).until
        return Manifest(0, {}, until, asked.now, self.definitions().version)

    def marked(self, asked: Asked, answer: Answer) -> Answer:
        """The answer as it is; before the first build, told apart from one that found nothing."""
        if asked.manifest is not None:
            return answer
        data = {**answer.get("data", {}), "manifest": None}
        return {**answer, "reason": "no_build", "warnings": [*answer.get("warnings", ()), NO_BUILD], "data": data}

    @property
    def limits(self) -> Limits:
        """One question's share of the memory, and its threads."""
        share = max(self.settings.query_memory // self.settings.queries, 128 << 20)
        seconds = float(self.settings.query_seconds)
        return Limits(f"{share >> 20}MiB", self.settings.query_threads, self.settings.folder.scratch, seconds)

    def view(self, asked: Asked) -> View:
        """Identity as the question wants it: known now, or at the moment that it names."""
        return View(self.settings.runaway_links, asked.parameters.get("known_at") or EVER)

    def domains(self, asked: Asked) -> Domains:
        """Which e-mail domains form accounts, as the next build will have it."""
        return self.definitions().accounts.domains(asked.project.name)

    def engine(self, project: str, versions: Mapping[str, int | None]) -> Engine:
        """DuckDB over these versions."""
        return Engine(self.lake, project, versions, self.limits)

    def built(self, project: str, manifest: Manifest, *tables: str) -> Engine:
        """DuckDB over these tables as one build left them."""
        return self.engine(project, {table: manifest.tables.get(table) for table in tables})


def documented(summary: str, parameters: Sequence[Parameter] = (), **more: Any) -> dict[str, Any]:
    """Keywords of a route: its OpenAPI entry, from the very parameters that it reads."""
    described = [parameter.openapi() for parameter in (*parameters, FORMAT)]
    extra = {"parameters": described, "security": [{"key": []}], **more}
    return {"summary": summary, "openapi_extra": extra, "response_class": Response}
