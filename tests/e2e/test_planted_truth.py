"""What the generator planted comes out of log, flush, build and questions, whatever the seed (without HTTP, so that many
companies can be tried: JCURVE_TEST_COMPANIES=200)."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.demo.compare import sections
from funnels import metrics, plg
from funnels.definitions.load import DEFAULTS, load
from funnels.models import stages
from ingest import ids
from ingest.demo import Delivery, Size, deliver, plan, truth
from ingest.flush import Flush
from ingest.ids import Index
from ingest.lake import Lake
from ingest.wal import Log
from transforms.build import build
from transforms.core import CORE
from transforms.manifest import Manifest

END = datetime(2026, 2, 20, tzinfo=UTC)
NOW = END + timedelta(hours=10)
COMPANIES = int(os.environ.get("JCURVE_TEST_COMPANIES", "4"))


@pytest.mark.parametrize("seed", range(COMPANIES))
def test_every_planted_number_comes_out_of_the_lake(seed: int, tmp_path: Path) -> None:
    size = Size(people=100 + 61 * (seed % 6), accounts=20 + 9 * (seed % 5), days=(120, 45, 75, 61)[seed % 4], seed=seed)
    company = plan(size, END)
    delivery = deliver(company)
    lake = Lake(str(tmp_path / "lake"))
    into_the_lake(tmp_path, lake, delivery)
    definitions = load(DEFAULTS)
    models = (*CORE, *stages.models(definitions))
    built = build(lake, "default", models, until=NOW, definition_version=definitions.version, now=NOW).manifest

    def ask(path: str, parameters: Mapping[str, str]) -> object:
        return _answer(path, parameters, tmp_path, lake, built)

    wrong = [
        (section.title, row.label, figure)
        for section in sections(ask, company, truth(company), delivery)
        for row in section.rows
        for figure in row.figures
        if not figure.is_right
    ]
    assert wrong == []


def _answer(path: str, parameters: Mapping[str, str], folder: Path, lake: Lake, manifest: Manifest) -> object:
    definitions = load(DEFAULTS)
    match path.removeprefix("/api/").split("/"):
        case ["funnels", name]:
            return plg.stage_funnel(lake, "default", definitions, name, parameters, manifest, "UTC")
        case ["metrics", name]:
            return metrics.answer(lake, "default", definitions, name, parameters, manifest, "UTC")
        case _:
            return {"outcomes": ids.counts(folder / "index", "default")}


def into_the_lake(folder: Path, lake: Lake, delivery: Delivery) -> None:
    """Every batch through a log whose clock stands at NOW, then into the lake."""
    clock = itertools.count(int(NOW.timestamp()) * 1_000_000)

    async def write() -> None:
        log = Log.open(folder / "log", now=lambda: next(clock))
        try:
            for batch in delivery.batches:
                await log.append("default", "demo", "/v1/batch", "127.0.0.1", "", batch.body(int(NOW.timestamp()) * 1000))
        finally:
            await asyncio.to_thread(log.close)

    asyncio.run(write())
    lake.create_folder()
    with Index(folder / "index") as index:
        Flush(folder / "log", lake, index).once()
