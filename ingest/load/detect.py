"""What a file is: told by its bytes and the names in its first row, never by its ending."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.actor import KINDS
from ingest.load import CannotImport

FORMATS: Final = ("segment", "plain", "posthog", "mixpanel", "amplitude")
Container = Literal["lines", "csv", "parquet"]
_HEAD: Final = 1 << 20


@dataclass(frozen=True)
class Found:
    """A format of FORMATS, and what its rows lie in. ``names``: the columns, or the fields of the first line."""

    format: str
    container: Container
    names: tuple[str, ...]


def detect(path: Path, asked: str | None) -> Found:
    """Raises ``CannotImport`` naming what was found; ``asked`` overrides what the names say, not the container."""
    try:
        container, names, first = _looked_at(path)
    except (OSError, EOFError, zipfile.BadZipFile, pa.ArrowInvalid) as fault:
        raise CannotImport(f"{path}: cannot be read: {fault}") from None
    named = asked or next((name for name, fits in _SIGNS if fits(container, names, first)), None)
    if named is None:
        shown = ", ".join(sorted(names)[:20]) or "nothing"
        what = {"lines": "JSON lines with the fields", "csv": "CSV with the columns", "parquet": "Parquet with the columns"}
        raise CannotImport(
            f"{path}: found {what[container]} {shown}; that is none of {', '.join(FORMATS)} (plain events have the columns"
            " event, time, and user_id or anonymous_id). Say which with --format"
        )
    if (named == "plain") != (container == "csv" or (container == "parquet" and named != "posthog")):
        raise CannotImport(f"{path}: {named} is not read from {container}")
    if named == "plain" and not {"event", "time"} <= names:
        raise CannotImport(f"{path}: plain events have the columns event and time; found {', '.join(sorted(names)[:20])}")
    return Found(named, container, tuple(sorted(names)))


@contextmanager
def lines(path: Path) -> Iterator[Iterator[bytes]]:
    """The lines of a file of JSON lines, plain, gzipped, or zipped (the members one after another, gzipped or not)."""
    with path.open("rb") as file:
        magic = file.read(4)
    if magic.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(path) as archive:
            yield _members(archive)
    elif magic.startswith(b"\x1f\x8b"):
        with gzip.open(path) as opened:
            yield iter(opened)
    else:
        with path.open("rb") as plain:
            yield iter(plain)


def csv_head(path: Path) -> tuple[list[str], str, str]:
    """The column names of a CSV file, what parts its fields, and how it is packed ("gzip" or "none")."""
    with path.open("rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
    with gzip.open(path) if gzipped else path.open("rb") as binary:
        first = binary.readline(_HEAD).decode("utf-8-sig", "replace")
    delimiter = max(",;\t|", key=first.count)
    return next(csv.reader(io.StringIO(first), delimiter=delimiter), []), delimiter, "gzip" if gzipped else "none"


def _members(archive: zipfile.ZipFile) -> Iterator[bytes]:
    for member in sorted(name for name in archive.namelist() if not name.endswith("/")):
        with archive.open(member) as packed:
            if member.endswith(".gz"):
                with gzip.open(packed) as opened:
                    yield from opened
            else:
                yield from packed


def _looked_at(path: Path) -> tuple[Container, Set[str], dict[str, object]]:
    with path.open("rb") as file:
        if file.read(4) == b"PAR1":
            return "parquet", set(pq.read_schema(path).names), {}
    with lines(path) as found:
        first = next((line for line in found if line.strip()), b"").strip().removeprefix(b"\xef\xbb\xbf")
    if first.startswith((b"[", b"<")):
        raise CannotImport(f"{path}: begins with {first[:20]!r}; JSON is read one object a line")
    if not first.startswith(b"{"):
        return "csv", set(csv_head(path)[0]) - {""}, {}
    try:
        row = msgspec.json.decode(first)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        row = {}
    return "lines", set(row), row


def _is_mixpanel(container: str, names: Set[str], first: dict[str, object]) -> bool:
    properties = first.get("properties")
    known = isinstance(properties, dict) and "time" in properties and not {"distinct_id", "type", "uuid"} & set(names)
    return container == "lines" and "event" in names and known


_SIGNS: Final[tuple[tuple[str, Callable[[str, Set[str], dict[str, object]], bool]], ...]] = (
    ("posthog", lambda container, names, _: container != "csv" and {"event", "distinct_id", "properties"} <= set(names)
        and bool({"uuid", "timestamp"} & set(names))),
    ("posthog", lambda container, names, _: container != "csv" and {"distinct_id", "person_id"} <= set(names)
        and "event" not in names),
    ("amplitude", lambda container, names, _: container == "lines"
        and ({"event_type", "event_time"} <= set(names) or {"amplitude_id", "merged_amplitude_id"} <= set(names))),
    ("mixpanel", _is_mixpanel),
    ("segment", lambda container, names, first: container == "lines" and (first.get("type") in KINDS or "batch" in names)),
    ("plain", lambda container, names, _: container != "lines" and {"event", "time"} <= set(names)),
)  # fmt: skip
