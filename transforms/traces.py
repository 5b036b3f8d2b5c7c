"""The proof that a person is forgotten: looks for their ids in every file of a folder, Parquet pages decompressed.

A long id is looked for as text in each value and in the raw bytes of each file (footers, Delta's logs, SQLite, LMDB); a
short one only in the columns that hold ids. Open and sealed segments of the log are left out: what they hold was received
after the tombstones stood, and the flush keeps it out.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from transforms.forget import Ids, holding

_LOG: Final = {".open", ".segment"}
_IDS: Final = {"user_id": "user", "anonymous_id": "anonymous"}
_TYPED: Final = ("id", "owner", "person", "inviter", "invitee", "subject_id")


@dataclass(frozen=True)
class Traces:
    files: int  # looked at
    bytes: int
    found: tuple[str, ...]  # the files that still hold an id, with where


def traces(root: Path, ids: Ids, leave_out: Path | None = None) -> Traces:
    """Every trace of ``ids`` below ``root``; ``leave_out`` is the folder of the requests, which name them."""
    files, size, found = 0, 0, []
    for path in sorted(root.rglob("*")):
        if not path.is_file() or path.is_socket() or path.suffix in _LOG or (leave_out and leave_out in path.parents):
            continue
        try:
            where = next(_in_file(path, ids), None)
            size += path.stat().st_size
        except FileNotFoundError:
            continue
        files += 1
        if where is not None:
            found.append(f"{path.relative_to(root)}: {where}")
    return Traces(files, size, tuple(found))


def _in_file(path: Path, ids: Ids) -> Iterator[str]:
    if path.suffix == ".parquet":
        yield from _in_parquet(path, ids)
    if ids.pattern is not None and path.stat().st_size:
        whole_word = re.compile(ids.pattern.pattern.encode())
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if any(content.find(form.encode()) >= 0 for form in ids.forms) and whole_word.search(content):
                yield "its bytes"


def _in_parquet(path: Path, ids: Ids) -> Iterator[str]:
    file = pq.ParquetFile(path)
    for group in range(file.num_row_groups):
        for name in file.schema_arrow.names:
            rows = file.read_row_group(group, columns=[name])
            column = rows[rows.column_names[0]]
            if _in_column(name, column, ids):
                yield f"column {name}"


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
