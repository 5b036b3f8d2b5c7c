"""Loads the SQL files: text plus the head that says what one row is, its grain, its kind and what it reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

import sqlglot
from sqlglot import exp

Folder = Literal["models", "metrics", "checks"]

_HERE: Final = Path(__file__).parent
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_FIELD: Final = re.compile(r"-- (grain|kind|reads): *(.*)")

KINDS: Final[Mapping[str, Mapping[str, int]]] = {  # of each folder's files; how many key columns follow it
    "models": {
        "whole": 0,  # made anew as it is
        "by_subject": 1,  # by subject: all rows of a key together
        "by_day": 2,  # by subject and stretch of time
        "relation": 0,
    },
    "metrics": {"metric": 0},
    "checks": {"check": 0},
}


class SqlError(Exception):
    """A SQL file whose head is missing, wrong or does not fit its query; names the file and what to write."""

    def __init__(self, file: str, message: str) -> None:
        super().__init__(f"{file}: {message}")
        self.file = file


@dataclass(frozen=True)
class Query:
    """One SQL file. ``grain`` names the columns that identify a row, ``reads`` the relations it needs by name."""

    name: str
    title: str  # what one row is
    grain: tuple[str, ...]
    kind: str  # one of its folder's KINDS: of a model how it is kept and repaired; 'relation' is bound, never stored
    reads: tuple[str, ...]
    text: str
    subject: str | None = None  # the key by which it is repaired; of 'by_day' the subject's column
    moment: str | None = None  # of 'by_day' the column of the time or day

    @property
    def parameters(self) -> frozenset[str]:
        """The ``$name`` parameters the query takes, without the dollar."""
        return _parameters(self.text)


def names(folder: Folder) -> list[str]:
    """The names of a folder's files, in alphabetical order."""
    return sorted(path.stem for path in (_HERE / folder).glob("*.sql"))


@cache
def load(folder: Folder, name: str) -> Query:
    """The query ``<folder>/<name>.sql``; ``SqlError`` where there is none or its head does not fit."""
    path = _HERE / folder / f"{name}.sql"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise SqlError(f"{folder}/{name}.sql", f"there is no such file; {folder}/ has {', '.join(names(folder))}")
    return parse(f"{folder}/{name}.sql", name, path.read_text(encoding="utf-8"))


def parse(file: str, name: str, text: str) -> Query:
    """The query of ``file`` (``<folder>/<name>.sql``) from its text; its head must fit what the query reads and has."""
    head = [line for line in text.splitlines()[:12] if line.startswith("--")]
    fields = {match[1]: match[2].strip() for line in head if (match := _FIELD.fullmatch(line.rstrip()))}
    missing = [field for field in ("grain", "kind", "reads") if field not in fields]
    if not head or _FIELD.fullmatch(head[0]) or missing:
        raise SqlError(file, f"begin with '-- <what one row is>', then '-- grain:', '-- kind:', '-- reads:'; found {head}")
    reads, found = _list(fields["reads"]), relations(text)
    if set(reads) != found:
        raise SqlError(file, f"its head says it reads {sorted(reads)}, the query reads {sorted(found)}")
    kind, *keys = fields["kind"].split() or [""]
    kinds, columns = KINDS[file.partition("/")[0]], _columns(text)
    if kind not in kinds:
        raise SqlError(file, f"there is no kind '{kind}' here, write one of {', '.join(kinds)}")
    if len(keys) != kinds[kind]:
        raise SqlError(file, f"kind '{kind}' is followed by {kinds[kind]} columns, found {keys}")
    if lacking := [key for key in keys if key not in columns]:
        raise SqlError(file, f"its kind names {lacking}, its rows have {columns}")
    subject, moment = (*keys, None, None)[:2]
    return Query(
        name=name,
        title=head[0].removeprefix("--").strip(),
        grain=_list(fields["grain"]),
        kind=kind,
        reads=reads,
        text=text,
        subject=subject,
        moment=moment,
    )


def relations(text: str) -> set[str]:
    """The relations a query reads from outside: its tables less its own common table expressions."""
    tree = sqlglot.parse_one(text, read="duckdb")
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    return {table.name for table in tree.find_all(exp.Table) if table.name} - own


@cache
def _parameters(text: str) -> frozenset[str]:
    tree = sqlglot.parse_one(text, read="duckdb")
    return frozenset(placeholder.name for placeholder in tree.find_all(exp.Placeholder))


def _columns(text: str) -> list[str]:
    tree = sqlglot.parse_one(text, read="duckdb")
    return [column.alias_or_name for column in tree.selects] if isinstance(tree, exp.Query) else []


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
