"""The wiring of every role but the door's (``api/door.py``): settings in, running parts out.

Each function imports what its role needs, so that a process holds no library of another role.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Final

from api.settings import Settings

_STORE_SECONDS: Final = 5.0  # between two tries to reach a store that does not answer
QUICK: Final = 4  # answers read in a moment that may be worked out at one time

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from api.serving import Serving
    from api.store import Store
    from ingest.keys import Key
    from ingest.lake import Lake


def prepare(settings: Settings) -> None:
    """The store at its newest schema, keys published, definitions present; ends the process with status 2 at a fault.

    A store that does not answer is none where keys were published before: the collector lives on those.
    """
    from api.clock import now
    from api.store import NoAnswer, StoreError, open_store
    from funnels.definitions.written import DefinitionError

    try:
        prepare_definitions(settings)
        with open_store(settings.store_address, settings.folder, now()):
            pass
    except NoAnswer as error:
        print(error, file=sys.stderr)
        if not settings.folder.keys.is_file():
            sys.exit(2)
        print("the keys published last are in force; what needs the store waits for it", file=sys.stderr)
    except (DefinitionError, StoreError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def prepare_definitions(settings: Settings) -> None:
    """A deployment without definitions gets the defaults to edit; raises ``DefinitionError``."""
    from funnels.definitions.load import copy_defaults, load

    if not settings.definitions_folder.is_dir():
        copy_defaults(settings.definitions_folder)
    load(settings.definitions_folder)


def lake_of(settings: Settings) -> Lake:
    from ingest.lake import Lake

    lake = Lake(settings.lake_root)
    lake.create_folder()
    return lake


def flush(settings: Settings, stop: threading.Event) -> None:
    """Sealed segments and chunks of imports to the lake, until ``stop`` and all of them are there.

    An import brings a flush of its own, which serves the logs as well: one waits for the other to end.
    """
    from api import meters
    from api.decoding import decoder_of
    from ingest.flush import Flush
    from ingest.ids import DAY, Index
    from ingest.plan import CurrentPlan
    from ingest.tombstones import Tombstones

    plan = CurrentPlan(settings.plan_folder)
    if settings.store_url:
        threading.Thread(target=_republish, args=(settings, stop), daemon=True).start()
    index = Index.when_free(settings.folder.index, stop, settings.dedup_days * DAY)
    if index is None:
        return
    with index:
        tombstones = Tombstones(settings.folder.tombstones)
        decoder, meter = decoder_of(settings, plan), meters.ended
        lake = lake_of(settings)
        Flush(settings.folder.log, lake, index, decoder=decoder, tombstones=tombstones, plan=plan, meter=meter).run(stop)


def _republish(settings: Settings, stop: threading.Event) -> None:
    """Keys that another host made in the common store, for the collectors of this one."""
    from api.publishing import republish

    with opened_when_it_answers(settings, stop) as store:
        republish(store.publish, settings.folder, stop)


def opened_when_it_answers(settings: Settings, stop: threading.Event) -> Store:
    """The store, however long it does not answer; ends the thread at ``stop``. Raises ``StoreError`` where waiting does not
    help."""
    from api.clock import now
    from api.store import NoAnswer, open_store

    while True:
        try:
            return open_store(settings.store_address, settings.folder, now())
        except NoAnswer as error:
            print(f"{error}; asked again every {_STORE_SECONDS:.0f} s", file=sys.stderr)
            if stop.wait(_STORE_SECONDS):
                sys.exit(0)


def work(settings: Settings, stop: threading.Event) -> None:
    """The scheduled jobs of every project, until ``stop``; a job that runs then is finished first."""
    from functools import partial

    from api import forgetting, meters
    from api.building import builder, tidier, upkeep
    from api.clock import now
    from transforms import schedule

    lake = lake_of(settings)
    times = {"hourly": settings.hourly_build, "nightly": settings.nightly_build}
    with opened_when_it_answers(settings, stop) as store:
        before, after = upkeep(settings, lake, lambda name: store.project(name).retention_days)
        table = schedule.job_table(lake, builder(settings, lake), **times, before=before, after=after)
        jobs = [job for job in (*table, tidier(settings, lake)) if job.cron != "off"]

        def projects() -> list[str]:
            """Those that have anything to build; the others keep saying that no event has come."""
            return [project.name for project in store.projects() if lake.version(project.name, "events") is not None]

        threading.Thread(target=meters.count_files, args=(lake, projects, stop), daemon=True).start()
        build = builder(settings, lake)
        forget = partial(forgetting.advance_all, settings, lake, build, now)
        schedule.work(settings.folder.work, projects, jobs, stop=stop, clock=now, errand=forget)


def serving_of(settings: Settings, store: Store, keys: Callable[[str], Key | None]) -> Serving:
    """What answers questions, for the query API and for commands that ask without a server."""
    import anyio

    from api.deployment import CurrentDefinitions, Projects
    from api.saved import SavedFunnels
    from api.serving import Serving
    from api.sources import Sources

    return Serving(
        settings,
        lake_of(settings),
        keys,
        Projects(store),
        CurrentDefinitions(settings.definitions_folder),
        SavedFunnels(store),
        Sources(store),
        anyio.CapacityLimiter(settings.queries),
        anyio.CapacityLimiter(QUICK),
    )


def serve_app(settings: Settings, stop: threading.Event | None = None) -> FastAPI:
    """The query API under ``/api``, its documentation at ``/docs``, the dashboard at ``/``; waits for the store until
    ``stop``."""
    from contextlib import asynccontextmanager

    from fastapi import FastAPI
    from starlette.responses import HTMLResponse, JSONResponse

    from api import handlers, routes, web
    from api.documentation import page
    from api.errors import Unavailable
    from api.head import HeadAsGet
    from api.openapi import describe
    from api.status import VERSION
    from ingest.keys import KeyFile

    store = opened_when_it_answers(settings, stop or threading.Event())
    keys = KeyFile(settings.folder.keys)
    serving = serving_of(settings, store, keys)

    @asynccontextmanager
    async def lifespan(_: FastAPI):  # type: ignore[no-untyped-def]
        with store:
            yield

    app = FastAPI(title="jcurve", version=VERSION, docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.router.redirect_slashes = False
    app.add_middleware(HeadAsGet)
    handlers.install(app)
    for router in routes.routers(serving):
        app.include_router(router)
    app.add_api_route("/api/ready", lambda: {"status": "ready"}, tags=["status"], summary="Does the query API answer?")

    def ready() -> dict[str, str]:
        """Asked of ``serve`` alone; behind a door, the door answers."""
        if (fault := keys.healthy()) is not None:
            raise Unavailable(fault)
        return {"status": "ready"}

    app.add_api_route("/health", lambda: {"status": "alive"}, tags=["status"], summary="Is it alive?")
    app.add_api_route("/ready", ready, tags=["status"], summary="Can it do its work?")
    app.add_api_route("/openapi.json", lambda: JSONResponse(describe(app)), include_in_schema=False)
    app.add_api_route("/docs", lambda: HTMLResponse(page(describe(app)), headers=web.HEADERS), include_in_schema=False)
    app.router.routes += web.routes(settings.folder.cache)
    return app
