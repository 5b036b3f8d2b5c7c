"""What moved in a table of the lake between two versions: the rows it gained, and those it lost.

The log tells with which files rows came and went; a rewritten file (retention, a person forgotten) goes and comes with most
of its rows, so what is in both is left out. Tidying moves no row. Files that went stand until a vacuum, long after the
next build; where they are gone, or the log tells no more, nobody can tell what moved.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pyarrow.fs
from deltalake.fs import DeltaStorageHandler

from ingest.lake import Lake
from transforms.commits import moved_since
from transforms.engine import Engine
from transforms.tables import SCHEMAS

# A row is named by these; its content is compared, too: other people's events can lose a name and stay.
_NAMES: Final = {"events": ("event_id", "log", "log_offset", "month"), "id_links": ("entry",)}

# A row can come, be rewritten, and come again: what counts is how often it came less how often it went.
_NET: Final = """
with balance as (
    select {keys}, content, sum(change) as net
    from (
        select {keys}, hash({columns}) as content, 1 as change from base.{name}_came
        union all
        select {keys}, hash({columns}), -1 from base.{name}_went
    )
    group by all
    having sum(change) <> 0
),
all_rows as (
    select {columns}, hash({columns}) as content, true as came from base.{name}_came
    union all
    select {columns}, hash({columns}), false from base.{name}_went
)
select distinct on ({keys}, content) all_rows.* exclude (content)
from all_rows join balance using ({keys}, content)
where came = (net > 0)
"""


@dataclass(frozen=True)
class Moved:
    """Files of a table, as paths within it: rows came with ``came``, went with ``went``."""

    came: tuple[str, ...] = ()
    went: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.came or self.went)


def moved(lake: Lake, project: str, table: str, before: int | None, now: int | None) -> Moved | None:
    """What moved between two versions; None where nobody can tell."""
    if before == now:
        return Moved()
    if now is None:
        return None
    old = set() if before is None else _paths(lake, project, table, before)
    new = _paths(lake, project, table, now)
    if old <= new:  # whatever tidy did to what is new, these are its rows
        return Moved(tuple(sorted(new - old)))
    if before is None or (found := moved_since(lake, project, table, before, now)) is None:
        return None
    came, went = (tuple(sorted(set(paths))) for paths in found)
    return Moved(came, went) if _stand(lake, project, table, {*came, *went}) else None


def bind(engine: Engine, lake: Lake, project: str, table: str, name: str, files: Moved) -> None:
    """Makes the rows that moved a relation: the table's columns, and ``came``: true of a row gained, false of one lost."""
    _read(engine, lake, project, table, f"{name}_came", files.came)
    if not files.went:
        engine.view(f"base.{name}", f"select *, true as came from base.{name}_came")
        return
    _read(engine, lake, project, table, f"{name}_went", files.went)
    columns = ", ".join(f'"{column}"' for column in SCHEMAS[table].names)
    keys = ", ".join(f'"{column}"' for column in _NAMES[table])
    engine.make(f"base.{name}", _NET.format(columns=columns, keys=keys, name=name))


def _read(engine: Engine, lake: Lake, project: str, table: str, name: str, paths: tuple[str, ...]) -> None:
    root = lake.uri(project, table)
    engine.read(name, table, [f"{root}/{path}" for path in paths])


def _paths(lake: Lake, project: str, table: str, version: int) -> set[str]:
    handle = lake.open(project, table, version)
    return (
        set() if handle is None else {unquote(path) for path in pyarrow.table(handle.get_add_actions())["path"].to_pylist()}
    )


def _stand(lake: Lake, project: str, table: str, paths: set[str]) -> bool:
    if lake.is_local:
        return all((Path(lake.uri(project, table)) / path).exists() for path in paths)
    store = pyarrow.fs.PyFileSystem(DeltaStorageHandler(lake.uri(project, table), dict(lake.storage)))
    return all(info.type == pyarrow.fs.FileType.File for info in store.get_file_info(sorted(paths)))
