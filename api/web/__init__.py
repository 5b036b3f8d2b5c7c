"""The dashboard: one page of plain HTML, CSS and JavaScript modules, served as they lie in `static/`, without a build step.

Owns      `/` (the page) and `/assets/*` (its parts, and `/assets/vega.js`, the chart library that `vega.py` makes once).
Invariants
    - The page reads numbers through the public API only, with the read key its reader gave; this package touches no data.
    - Nothing is fetched from another host: the content policy below would stop it, and a test looks at every request made.
    - Text from events is set as text, never as HTML: a write key is public, so an event's name is a stranger's input.
    - What a reader asks stands in the address: a link shows the same page. The key never leaves the browser's storage.
Layout    `js/main.js` starts, `js/router.js` reads the address; a page is a file, the funnel builder a folder: `page.js` of
          `js/builder/` holds the question (`question`), draws its editor (`steps`, `rules`) and its answer (`result`).
Who may import it: `api/app.py`, to mount `routes(cache)` after every other route.

Decisions
    Context  A build step (bundler, framework) would need Node wherever jcurve is installed from source.
    Choice   Modules as written; the browser loads some forty small files over one kept-alive connection.
    Price    No types and no minifying; each asset is asked for again on a reload and answered 304.

    Context  Vega compiles its expressions with `Function`, which a strict content policy forbids.
    Choice   `unsafe-eval`, for scripts of our own origin only. The specifications are ours; data enters them as values.
    Price    A hole smaller than `unsafe-inline`, which stays forbidden for scripts.

    Context  A funnel's bars are buttons with names, and its picture is wanted for documents.
    Choice   On the page it is HTML; the files are drawn by Vega-Lite from the same answer.
    Price    Two drawings of one funnel.

    Context  A builder that answers each change at once is a joy on a small lake and a load on a large one.
    Choice   It asks by itself until an answer takes more than three seconds, from then on by its button.
    Price    Readers of a large lake press Run.

    Context  A font of our own would be somebody else's file in this repository.
    Choice   The reader's own: Inter where it is installed, else the system's; figures are tabular.
    Price    The page looks a little different from machine to machine.
"""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from api.web.vega import bundle

STATIC = Path(__file__).parent / "static"

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'unsafe-eval'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class Assets(StaticFiles):
    """Static files that a browser asks for again each time (and gets 304), so an upgrade never mixes old and new modules."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response


def routes(cache: Path) -> list[BaseRoute]:
    """The page and its parts. `cache`: a folder only we write to (below the data folder), where the chart library stays."""

    async def page(request: Request) -> Response:
        return FileResponse(STATIC / "index.html", headers=HEADERS)

    def vega(request: Request) -> Response:
        packed = "gzip" in request.headers.get("accept-encoding", "")
        file = bundle(cache, packed=packed)
        encoding = {"Content-Encoding": "gzip"} if packed else {}
        kept = {"Cache-Control": "public, max-age=86400", "Vary": "Accept-Encoding"}
        return FileResponse(file, media_type="text/javascript", headers=HEADERS | kept | encoding)

    return [
        Route("/", page, methods=["GET"], name="dashboard"),
        Route("/assets/vega.js", vega, methods=["GET"]),
        Mount("/assets", Assets(directory=STATIC), name="assets"),
    ]
