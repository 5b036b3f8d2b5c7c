"""What the import's tests are made of: files, imports in which the flush has its turn at once, and the lake read back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from ingest.flush import Flush
from ingest.ids import Index
from ingest.lake import Lake
from ingest.load.plan import Request
from ingest.load.report import Report
from ingest.load.run import Place, load
from ingest.tombstones import Tombstones
from tests.ingest.world import NOON, rows

Nothing = Callable[[str], None]


def bring(data: Path, *files: Path, at: Nothing = lambda step: None, chunk_rows: int = 3, now: int = NOON,
          **options: object) -> Report:  # fmt: skip
    """Import into the project "shop"; ``at`` sees the steps of the import and of the flush."""
    request = Request(files, "shop", **options)  # type: ignore[arg-type]
    place = Place(
        data / "import", data / "index", lake(data), lambda: now, lambda: flush(data, at), at=at, chunk_rows=chunk_rows
    )
    (data / "import").mkdir(parents=True, exist_ok=True)
    return load(request, place)


def flush(data: Path, at: Nothing = lambda step: None) -> None:
    with Index(data / "index") as index:
        Flush(data / "log", lake(data), index, tombstones=Tombstones(data / "forgotten.json"), at=at).once()


def lake(data: Path) -> Lake:
    return Lake(str(data / "lake"))


def written(path: Path, *objects: object) -> Path:
    """A file of JSON lines; text stands as it is."""
    path.write_text("".join(f"{each if isinstance(each, str) else json.dumps(each)}\n" for each in objects))
    return path


def events(data: Path) -> list[dict[str, object]]:
    return sorted(rows(lake(data), "shop", "events"), key=lambda row: (str(row["time"]), str(row["event_id"])))


def seen(data: Path, *columns: str) -> list[tuple[object, ...]]:
    """These columns of all events, by time."""
    return [tuple(row[column] for column in columns) for row in events(data)]


def rejected(data: Path) -> list[dict[str, object]]:
    return rows(lake(data), "shop", "rejected")


def outcomes(data: Path) -> Mapping[str, int]:
    with Index(data / "index") as index:
        return {label: number for label, number in index.counts("shop").items() if number}
