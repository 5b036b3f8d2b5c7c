"""The page and its parts as they are served, without a browser."""

import asyncio
import gzip
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from api.web import STATIC, routes
from api.web.vega import bundle

Fetch = Callable[..., httpx.Response]
SOURCES = sorted(path for path in STATIC.rglob("*") if path.suffix in {".js", ".css", ".html"})


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def fetch(cache: Path) -> Fetch:
    transport = httpx.ASGITransport(Starlette(routes=routes(cache)))

    async def answer(path: str, headers: dict[str, str]) -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get(path, headers=headers)

    return lambda path, headers=None: asyncio.run(answer(path, headers or {}))


def test_every_part_forbids_scripts_and_styles_from_elsewhere_and_inline(fetch: Fetch) -> None:
    for path in ("/", "/assets/js/main.js", "/assets/css/tokens.css", "/assets/vega.js"):
        answer = fetch(path)
        assert answer.status_code == 200, path
        policy = dict(rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == "'self' 'unsafe-eval'"
        assert policy["style-src"] == policy["connect-src"] == "'self'"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_unchanged_part_is_answered_304(fetch: Fetch) -> None:
    tag = fetch("/assets/js/main.js").headers["etag"]
    assert fetch("/assets/js/main.js", {"If-None-Match": tag}).status_code == 304


def test_the_chart_library_is_made_once_and_sent_packed_to_who_takes_it(fetch: Fetch, cache: Path) -> None:
    plain = fetch("/assets/vega.js", {"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert "window.vegaEmbed" in plain.text
    packed = fetch("/assets/vega.js", {"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    made = bundle(cache, packed=True)
    assert gzip.decompress(made.read_bytes()) == plain.content
    before = made.stat().st_mtime_ns
    assert bundle(cache, packed=True).stat().st_mtime_ns == before
    assert len(list(cache.iterdir())) == 2  # nothing half-made is left


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_source_makes_html_from_text_or_names_another_host(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", text)
    known = {"www.w3.org", "vega.github.io"}  # names of formats, never fetched
    assert set(re.findall(r"https?://([\w.-]+)", text)) <= known
    assert not re.search(r"\son\w+=|<script(?! (type=\"module\" )?src=)|\sstyle=", text)
