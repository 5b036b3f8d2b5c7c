"""Small worlds of definitions, events and built tables for the tests of funnels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from funnels.definitions.definition import Definitions
from funnels.definitions.load import DEFAULTS, load
from funnels.models.stages import models
from ingest.lake import Lake
from tests.transforms.world import Row, call, lake_of
from transforms import days
from transforms.build import build
from transforms.core import core
from transforms.engine import Engine
from transforms.manifest import Manifest

LATER = datetime(2026, 12, 1, tzinfo=UTC)  # everything in these worlds is complete by then


def definitions_of(folder: Path, **files: str) -> Definitions:
    """Definitions from texts by file name: ``definitions_of(tmp_path, stages="[stages.x] ...")``; the rest is default."""
    own = folder / "definitions"
    own.mkdir(exist_ok=True)
    for name, text in files.items():
        (own / f"{name}.toml").write_text(text, encoding="utf-8")
    return load(own)


def did(user: str, event: str, time: datetime, event_id: str | None = None, **columns: object) -> Row:
    """One track call of a user; ids are made of what happened where the test names none."""
    return call(event_id or f"{user} {event} {time:%m-%dT%H:%M:%S}", time, user=user, event=event) | columns


def joined(user: str, account: str, time: datetime) -> Row:
    return call(f"{user} joined {account}", time, kind="group", user=user, account_id=account)


def built(
    folder: Path, rows: Sequence[Row], definitions: Definitions | None = None, until: datetime = LATER, batch: int = 1
) -> tuple[Lake, Manifest]:
    """A lake with these events, built; ``until`` is its completeness mark, a higher ``batch`` adds events."""
    known = definitions or load(DEFAULTS)
    lake = lake_of(folder, rows, batch)
    result = build(
        lake,
        "default",
        core(domains=known.accounts.domains("default")) + days.models() + models(known),
        until=until,
        definition_version=known.version,
        now=until,
    )
    return lake, result.manifest


def stored(lake: Lake, manifest: Manifest, name: str) -> pa.Table:
    with Engine(lake, "default", {name: manifest.tables[name]}) as engine:
        return engine.table(f"from {name}")


def entries(lake: Lake, manifest: Manifest, stage: str, subject: str) -> Mapping[str, tuple[datetime, str]]:
    """Who entered a stage, when and by which event."""
    rows = stored(lake, manifest, "stages").to_pylist()
    chosen = [row for row in rows if (row["stage"], row["subject"]) == (stage, subject)]
    return {row["subject_id"]: (row["entered"].astimezone(UTC), row["event_id"]) for row in chosen}


SECOND = timedelta(seconds=1)
