"""The commits of a table, as its log tells them: whether the rows of two versions are the same, and which commits may go.

On disk: ``<table>/_delta_log/00000000000000000042.json`` per commit, and now and then ``...042.checkpoint.parquet``, which
says all that the commits up to it said: rows, transactions of the flush (``log:<identity>``), files removed of late.
A version is readable while a checkpoint at or below it stands (or commit 0), and every commit from there to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import pyarrow.fs
from deltalake.fs import DeltaStorageHandler

from ingest.lake import Lake

_FOLDER: Final = "_delta_log"
_NAME: Final = re.compile(r"(\d{20})\.(json|checkpoint\.parquet)")
_MOST_SINCE_BUILD: Final = 20_000  # commits after the version in force, that are kept to tell whether rows changed


@dataclass(frozen=True)
class Log:
    """When each commit and each checkpoint that stands was written."""

    commits: Mapping[int, datetime]
    checkpoints: Mapping[int, datetime]


def same_rows(lake: Lake, project: str, table: str, older: int | None, newer: int | None) -> bool:
    """Whether ``newer`` has the rows of ``older``: nothing but tidying came between. False where the log tells no more."""
    if older is None or newer is None or older > newer:
        return older == newer
    files = _files(lake, project, table)
    return all(_moves_rows_only(files, version) for version in range(newer, older, -1))


def added_since(lake: Lake, project: str, table: str, older: int, newer: int) -> list[str] | None:
    """The files, as first written, of the rows that ``newer`` has and ``older`` has not.

    None where rows went, or the log tells no more. Tidy may have rewritten these files since.
    """
    if older > newer:
        return None
    files = _files(lake, project, table)
    found: list[str] = []
    for version in range(older + 1, newer + 1):
        actions = _actions(files, _name(version, "json"))
        if actions is None or any(action["remove"]["dataChange"] for action in actions if "remove" in action):
            return None
        found.extend(unquote(action["add"]["path"]) for action in actions if "add" in action and action["add"]["dataChange"])
    return found


def moved_since(lake: Lake, project: str, table: str, older: int, newer: int) -> tuple[list[str], list[str]] | None:
    """The files that rows came with and those that rows went with, between two versions; None where the log tells no more.

    The rows of ``newer`` are those of ``older``, and the first files' less the second ones': a row can be in both.
    """
    if older > newer:
        return None
    files = _files(lake, project, table)
    found: dict[str, list[str]] = {"add": [], "remove": []}
    for version in range(older + 1, newer + 1):
        actions = _actions(files, _name(version, "json"))
        if actions is None:
            return None
        for action in actions:
            for kind, paths in found.items():
                if kind in action and action[kind]["dataChange"]:
                    paths.append(unquote(action[kind]["path"]))
    return found["add"], found["remove"]


def log(lake: Lake, project: str, table: str) -> Log:
    commits: dict[int, datetime] = {}
    checkpoints: dict[int, datetime] = {}
    selector = pyarrow.fs.FileSelector(_FOLDER, allow_not_found=True)
    for info in _files(lake, project, table).get_file_info(selector):
        if found := _NAME.fullmatch(info.base_name):
            (commits if found[2] == "json" else checkpoints)[int(found[1])] = info.mtime
    return Log(commits, checkpoints)


def needless(found: Log, readable: Collection[int], in_force: int | None, now: datetime, safe: timedelta) -> list[str]:
    """Names of the log's files that nobody can ask for, by these rules:

    a version younger than ``safe`` and one of ``readable`` stay readable, and what came after ``in_force`` can be told.
    """
    latest = max(found.commits, default=0)
    recent = min((version for version, when in found.commits.items() if now - when < safe), default=latest)
    if in_force is not None:
        recent = min(recent, max(in_force, latest - _MOST_SINCE_BUILD))
    kept = set(range(_base(found, recent), latest + 1))
    for version in readable:
        kept.update(range(_base(found, version), version + 1))
    commits = [_name(version, "json") for version in found.commits if version not in kept]
    # A checkpoint beside a kept commit is a base of a version that is asked for, or may become one.
    return sorted(commits + [_name(version, "checkpoint.parquet") for version in found.checkpoints if version not in kept])


def removed_by(lake: Lake, project: str, table: str, names: Iterable[str]) -> set[str]:
    """The files that these commits took out of the table."""
    files = _files(lake, project, table)
    found: set[str] = set()
    for name in names:
        actions = _actions(files, name) if name.endswith(".json") else None
        found.update(unquote(action["remove"]["path"]) for action in actions or [] if "remove" in action)
    return found


def strays(lake: Lake, project: str, table: str, prefixes: tuple[str, ...], standing: Collection[str]) -> list[str]:
    """Data files with such names that no version of ``standing`` files has: what was killed before its commit."""
    files = _files(lake, project, table)
    found = files.get_file_info(pyarrow.fs.FileSelector("", allow_not_found=True, recursive=True))
    paths = [info.path for info in found if info.base_name.startswith(prefixes)]
    return [path for path in paths if path not in standing]


def remove_files(lake: Lake, project: str, table: str, paths: Iterable[str]) -> int:
    """Removes data files, gone or not; returns how many went."""
    files = _files(lake, project, table)
    standing = [info.path for info in files.get_file_info(sorted(paths)) if info.type == pyarrow.fs.FileType.File]
    for path in standing:
        files.delete_file(path)
    return len(standing)


def remove(lake: Lake, project: str, table: str, names: Iterable[str]) -> None:
    files = _files(lake, project, table)
    for name in names:
        files.delete_file(f"{_FOLDER}/{name}")


def _base(found: Log, version: int) -> int:
    """The commit that a reader of ``version`` begins at."""
    return max((checkpoint for checkpoint in found.checkpoints if checkpoint <= version), default=0)


def _moves_rows_only(files: pyarrow.fs.FileSystem, version: int) -> bool:
    actions = _actions(files, _name(version, "json"))
    if actions is None:
        return False
    return not any(action[kind]["dataChange"] for action in actions for kind in ("add", "remove") if kind in action)


def _actions(files: pyarrow.fs.FileSystem, name: str) -> list[dict[str, Any]] | None:
    try:
        with files.open_input_stream(f"{_FOLDER}/{name}") as stream:
            return [json.loads(line) for line in stream.read().splitlines() if line]
    except FileNotFoundError:
        return None


def _name(version: int, kind: str) -> str:
    return f"{version:020d}.{kind}"


def _files(lake: Lake, project: str, table: str) -> pyarrow.fs.FileSystem:
    uri = lake.uri(project, table)
    if lake.is_local:
        return pyarrow.fs.SubTreeFileSystem(str(Path(uri).absolute()), pyarrow.fs.LocalFileSystem())
    return pyarrow.fs.PyFileSystem(DeltaStorageHandler(uri, dict(lake.storage)))
