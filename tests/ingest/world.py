"""What the log's and the flush's tests are made of: logs written at once, and the lake read back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable

from ingest.lake import Lake
from ingest.log_folder import LogFolder
from ingest.record import Record, encode
from ingest.segment_file import SegmentFile

NOON = 1_767_268_800_000_000  # 2026-01-01 12:00 UTC in microseconds
SECOND = 1_000_000


def track(event_id: str | None, event: str = "Task Completed", **more: object) -> dict[str, object]:
    call = {"type": "track", "event": event, "userId": "u1", **more}
    return call if event_id is None else call | {"messageId": event_id}


def batch(*calls: object, at: int = NOON, project: str = "shop", source: str = "web") -> Record:
    body = json.dumps({"batch": calls, "writeKey": "k"}).encode()
    return Record(at, project, source, "/v1/batch", "127.0.0.1", "test/1", body)


def write_log(root: Path, *segments: Sequence[Record], name: str = "0001") -> LogFolder:
    """The log ``name`` below ``root``, with these sealed segments; the caller releases it."""
    (root / name).mkdir(parents=True, exist_ok=True)
    folder = LogFolder.adopt(root / name)
    assert folder is not None
    for records in segments:
        add_segment(folder, records)
    return folder


def add_segment(folder: LogFolder, records: Sequence[Record]) -> Path:
    segment = SegmentFile.create(folder.path, folder.identity, folder.take_number())
    segment.append([encode(record) for record in records], records[0].received_at)
    segment.seal()
    return segment.path.with_suffix(".segment")


def rows(lake: Lake, project: str, table: str) -> list[dict[str, object]]:
    """All rows, in the order of the log."""
    handle = lake.open(project, table)
    if handle is None:
        return []
    found: list[dict[str, object]] = read(handle).sort_by([("log", "ascending"), ("log_offset", "ascending")]).to_pylist()
    return found


def read(handle: DeltaTable) -> pa.Table:
    return handle.to_pyarrow_table()


def event_ids(lake: Lake, project: str = "shop") -> list[str]:
    return [str(row["event_id"]) for row in rows(lake, project, "events")]
