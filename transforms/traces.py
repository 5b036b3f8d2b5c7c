"""The proof that a person is forgotten: looks for their ids in every file of a folder, and of a project in a lake elsewhere.

A long id is looked for as text in each value, Parquet pages decompressed, and in the raw bytes of each file (footers,
Delta's logs, SQLite, LMDB); a short one only in the columns that hold ids. Open and sealed segments of the log are left
out: what they hold was received after the tombstones stood, and the flush keeps it out.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs
import pyarrow.parquet as pq
from deltalake.fs import DeltaStorageHandler

from ingest.lake import Lake
from transforms.forget import Ids, holding

_LOG: Final = {".open", ".segment"}
_IDS: Final = {"user_id": "user", "anonymous_id": "anonymous"}
_TYPED: Final = ("id", "owner", "person", "inviter", "invitee", "subject_id")


@dataclass(frozen=True)
class Traces:
    files: int  # looked at
    bytes: int
    found: tuple[str, ...]  # the files that still hold an id, with where

    def __add__(self, other: Traces) -> Traces:
        return Traces(self.files + other.files, self.bytes + other.bytes, (*self.found, *other.found))


def traces(root: Path, ids: Ids, leave_out: Collection[Path] = ()) -> Traces:
    """Every trace of ``ids`` below ``root``, but for the folders ``leave_out``."""
    files, size, found, aside = 0, 0, [], set(leave_out)
    for path in sorted(root.rglob("*")):
        is_log = path.suffix in _LOG and path.relative_to(root).parts[0] == "log"
        if not path.is_file() or is_log or not aside.isdisjoint(path.parents):
            continue
        try:
            where, length = _in_local(path, ids)
        except FileNotFoundError:
            continue
        size += length
        files += 1
        if where is not None:
            found.append(f"{path.relative_to(root)}: {where}")
    return Traces(files, size, tuple(found))


def traces_of_lake(lake: Lake, project: str, ids: Ids) -> Traces:
    """Every trace in a project's tables, wherever the lake lies; what lies in an object store is read through it."""
    if lake.is_local:
        return traces(Path(lake.uri(project, "")), ids)
    store = pyarrow.fs.PyFileSystem(DeltaStorageHandler(lake.uri(project, ""), dict(lake.storage)))
    files, size, found = 0, 0, []
    for info in store.get_file_info(pyarrow.fs.FileSelector("", allow_not_found=True, recursive=True)):
        if info.type != pyarrow.fs.FileType.File:
            continue
        try:
            with store.open_input_file(info.path) as file:
                content = file.read()
        except FileNotFoundError:
            continue
        files, size = files + 1, size + len(content)
        where = _in_parquet(pa.BufferReader(content), ids) if info.path.endswith(".parquet") else None
        where = where or _in_bytes(content, ids)
        if where is not None:
            found.append(f"{lake.uri(project, info.path)}: {where}")
    return Traces(files, size, tuple(found))


def _in_local(path: Path, ids: Ids) -> tuple[str | None, int]:
    """Where a file holds an id, and how long it is."""
    length = path.stat().st_size
    if not length:
        return None, 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        where = _in_parquet(path, ids) if path.suffix == ".parquet" else None
        return where or _in_bytes(content, ids), length


def _in_bytes(content: bytes | mmap.mmap, ids: Ids) -> str | None:
    if ids.pattern is None or all(content.find(form.encode()) < 0 for form in ids.forms):
        return None
    return "its bytes" if re.search(ids.pattern.pattern.encode(), content) else None


def _in_parquet(source: Path | pa.BufferReader, ids: Ids) -> str | None:
    file = pq.ParquetFile(source)
    for group in range(file.num_row_groups):
        for name in file.schema_arrow.names:
            rows = file.read_row_group(group, columns=[name])
            column = rows[rows.column_names[0]]
            if _in_column(name, column, ids):
                return f"column {name}"
    return None


def _in_column(name: str, column: pa.ChunkedArray, ids: Ids) -> bool:
    if name in ("actor_id", "person_id"):
        return bool(pc.any(pc.is_in(column, value_set=ids.actors)).as_py())
    if pa.types.is_binary(column.type):
        texts = [value.decode("utf-8", "replace") for value in column.to_pylist() if value is not None]
        column = pa.chunked_array([pa.array(texts, pa.string())])
    elif not pa.types.is_string(column.type):
        return False
    looked = ids.of(_IDS[name]) if name in _IDS else ids.typed if name in _TYPED else frozenset()
    exact = looked and pc.any(pc.is_in(column, value_set=pa.array(sorted(looked), pa.string()))).as_py()
    return bool(exact) or bool(pc.any(holding(column, ids)).as_py())
