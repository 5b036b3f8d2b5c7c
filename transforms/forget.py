"""Forgetting a person: every row that is theirs, their name in other people's rows, and the old versions that hold either.

    ids_of      all ids of the person, by any of them
    take_out    events, rejected ones and ledgers of the lake; from then on no newest version knows the person
    (a build)   the built tables follow
    erase       manifests, files and log entries of older versions: from then on no file does

What is theirs: events that one of their ids sent, aliases that name one, rejected events that hold one, ledger rows that
hold one. In other people's events the device that is forgotten becomes null, and a long id (LONG) inside a text becomes
``forgotten``; the events themselves stay, and so does an undo whose reason names them. A short id ("42") is looked for only
where ids stand: in texts it is any number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final
from urllib.parse import quote, quote_plus

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs
from deltalake import DeltaTable
from deltalake.fs import DeltaStorageHandler

from ingest.actor import actor_id
from ingest.event import named_ids
from ingest.lake import Lake
from transforms import commits
from transforms.engine import DEFAULT_LIMITS, Engine, Limits
from transforms.file_changes import change_rows
from transforms.identity import DEFAULT_VIEW
from transforms.leaf_writer import LEAF
from transforms.links import Ledger, links_of
from transforms.manifest import current, forget
from transforms.overlay import identity
from transforms.rewrite import RUNS
from transforms.tables import TABLES
from transforms.tidy import ORDER, paths

LONG: Final = 8  # characters from which on an id is told apart from other texts
RECEIPTS: Final = "forgotten"
_TEXTS: Final = (
    "session_id", "page_url", "page_path", "page_referrer", "utm_source", "utm_medium", "utm_campaign", "utm_term",
    "utm_content", "properties", "context",
)  # fmt: skip
_HTML: Final = str.maketrans({mark: f"\\u{ord(mark):04x}" for mark in "&<>"})
_ESCAPE: Final = re.compile(r"\\u([0-9a-f]{4})")
_PERCENT: Final = re.compile(r"%[0-9A-F]{2}")
# Of ledgers, what a hand wrote: an undo of other people's link stands, whoever its reason names.
_SAID: Final = ("why", "made_by")
_SAME_PERSON: Final = """
with found as (
    select person_id
    from actors
    where id in ($given, 'user:' || $given, 'anonymous:' || $given)
    order by id = $given desc, id desc -- an id as it stands first, then a user's before a device's
    limit 1
)
select id from actors where person_id in (select person_id from found)
"""


@dataclass(frozen=True)
class Ids:
    """The typed ids of one person: ``user:42``, ``anonymous:7f3a``."""

    typed: frozenset[str]

    @cached_property
    def actors(self) -> pa.Array:
        return pa.array([actor_id(*typed.split(":", 1)) for typed in sorted(self.typed)], pa.int64())

    @cached_property
    def plain(self) -> frozenset[str]:
        return frozenset(typed.split(":", 1)[1] for typed in self.typed)

    def of(self, kind: str) -> frozenset[str]:
        return frozenset(typed.removeprefix(f"{kind}:") for typed in self.typed if typed.startswith(f"{kind}:"))

    @cached_property
    def forms(self) -> tuple[str, ...]:
        """The long ids as they may stand in a text: as they are, in JSON, in a URL; the longest first."""
        found = {form for plain in self.plain if len(plain) >= LONG for form in (plain, *_in_json(plain), *_in_url(plain))}
        return tuple(sorted(found, key=lambda form: (-len(form), form)))

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """A long id that is not part of a longer word (``user-1234`` in ``user-12345``)."""
        parts = "|".join(map(re.escape, self.forms))
        return re.compile(rf"(?<![\w-])(?:{parts})(?![\w-])") if parts else None


@dataclass(frozen=True)
class Taken:
    """What ``take_out`` did: rows removed by table, and how many rows of other people lost a name."""

    events: int = 0
    rejected: int = 0
    ledgers: int = 0
    changed: int = 0


def _in_json(plain: str) -> set[str]:
    """As one writer of JSON or another escapes it: Python's, JavaScript's, PHP's (slashes), Go's (marks of HTML)."""
    found = {json.dumps(plain, ensure_ascii=escaped)[1:-1] for escaped in (True, False)}
    found |= {form.translate(_HTML) for form in found}
    found |= {form.replace("/", "\\/") for form in found}
    return found | {_ESCAPE.sub(lambda met: f"\\u{met[1].upper()}", form) for form in found}


def _in_url(plain: str) -> set[str]:
    found = {quote(plain, safe=""), quote(plain), quote_plus(plain)}
    return found | {_PERCENT.sub(lambda met: met[0].lower(), form) for form in found}


def ids_of(lake: Lake, project: str, given: str, limits: Limits = DEFAULT_LIMITS) -> Ids | None:
    """All ids of the person that ``given`` names, typed or plain (a user's before a device's); None: nobody is known."""
    known = identity(lake, project, lake.version(project, "events"), current(lake, project), limits)
    with Engine(lake, project, known.built, limits) as engine:
        known.bind(engine)
        found = engine.table(_SAME_PERSON, {"given": given})["id"].to_pylist() or _linked(lake, project, given, limits)
    return Ids(frozenset(found)) if found else None


def _linked(lake: Lake, project: str, given: str, limits: Limits) -> set[str]:
    """The ids of a person of whom no event is left: retention takes events, and the ledger still says who is who."""
    ledger = Ledger.now(lake, project, with_events=False)
    for start in (given, f"user:{given}", f"anonymous:{given}"):
        known: set[str] = set()
        fresh = {start}
        while fresh:
            known |= fresh
            links = [link for link in links_of(ledger, fresh, DEFAULT_VIEW, limits) if link["state"] == "in_force"]
            fresh = {end for link in links for end in (link["id"], link["owner"])} - known
        if len(known) > 1:
            return known
    return set()


def take_out(lake: Lake, project: str, ids: Ids, tables: Iterable[str]) -> Taken:
    """Takes a person out of the newest version of ``tables``, built ones left aside. Doing it again changes nothing."""
    removed: dict[str, int] = {}
    renamed: dict[str, int] = {}
    changed = 0

    def of_events(rows: pa.Table) -> pa.Table:
        nonlocal changed
        kept, touched = others_events(rows, ids)
        removed["events"] = removed.get("events", 0) + rows.num_rows - kept.num_rows
        changed += touched
        return rows if kept.num_rows == rows.num_rows and not touched else kept

    def nothing_yet() -> None:
        nonlocal changed
        changed = 0
        removed.pop("events", None)

    def of(name: str) -> int:
        def keep(rows: pa.Table) -> pa.Table:
            theirs = rejected_of(rows, ids) if name == "rejected" else ledger_of(rows, ids)
            removed[name] = removed.get(name, 0) + sum(theirs)
            kept = rows.filter(pa.array([not one for one in theirs], pa.bool_())) if any(theirs) else rows
            kept, said = _unsaid(kept, ids, [text for text in _SAID if text in kept.column_names])
            renamed[name] = renamed.get(name, 0) + int(pc.sum(said).as_py() or 0)
            return rows if kept.num_rows == rows.num_rows and not pc.any(said).as_py() else kept

        def again() -> None:
            removed.pop(name, None)
            renamed.pop(name, None)

        return change_rows(lake, project, name, keep, again)

    change_rows(lake, project, "events", of_events, nothing_yet)
    names = sorted(set(tables) - set(TABLES) - {"events", RECEIPTS})
    for name in names:
        of(name)
    ledgers = sum(removed.get(name, 0) for name in names if name != "rejected")
    return Taken(removed.get("events", 0), removed.get("rejected", 0), ledgers, changed + sum(renamed.values()))


def others_events(rows: pa.Table, ids: Ids) -> tuple[pa.Table, int]:
    """The events of other people, and in how many of them a name was taken out."""
    plain = pa.array(sorted(ids.plain), pa.string())
    replaced = pc.and_(pc.equal(rows["kind"], "alias"), pc.is_in(rows["previous_id"], value_set=plain))
    theirs = pc.or_(pc.is_in(rows["actor_id"], value_set=ids.actors), replaced)
    kept = rows.filter(pc.invert(theirs))
    devices = pa.array(sorted(ids.of("anonymous")), pa.string())
    named = pc.is_in(kept["anonymous_id"], value_set=devices)
    touched = pa.chunked_array([named]) if isinstance(named, pa.Array) else named
    if pc.any(named).as_py():
        linked = pc.and_(named, pc.not_equal(kept["kind"], "alias"))  # there the previous id is the anonymous one again
        for name, gone in (("anonymous_id", named), ("previous_id", linked)):
            kept = _set(kept, name, pc.if_else(gone, pa.scalar(None, pa.string()), kept[name]))
    kept, said = _unsaid(kept, ids, _TEXTS)
    return kept, int(pc.sum(pc.or_(touched, said)).as_py() or 0)


def _unsaid(rows: pa.Table, ids: Ids, names: Iterable[str]) -> tuple[pa.Table, pa.ChunkedArray]:
    """The rows without the ids in these texts, and which rows lost one."""
    touched = pa.chunked_array([pa.array([False] * rows.num_rows, pa.bool_())])
    pattern = ids.pattern
    if pattern is None:
        return rows, touched
    for name in names:
        found = holding(rows[name], ids)
        if pc.any(found).as_py():
            clean = [pattern.sub("forgotten", text) if text else text for text in rows[name].filter(found).to_pylist()]
            mask = found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
            column = rows[name].combine_chunks()
            rows = _set(rows, name, pc.replace_with_mask(column, mask, pa.array(clean, pa.string())))
            touched = pc.or_(touched, found)
    return rows, touched


def rejected_of(rows: pa.Table, ids: Ids) -> list[bool]:
    """Which rejected events are theirs: those that hold a long id anywhere, or a short one where ids stand."""
    texts = [pc.fill_null(holding(rows[name], ids), False).to_pylist() for name in ("event_id", "detail", "path")]
    raws = rows["raw"].to_pylist()
    return [any(hits) or _names(raw, ids) for *hits, raw in zip(*texts, raws, strict=True)]


def ledger_of(rows: pa.Table, ids: Ids) -> list[bool]:
    """Which rows of any other table hold one of the ids, but for what people said of them (_SAID)."""
    theirs = [False] * rows.num_rows
    known = set(ids.typed) | {plain for plain in ids.plain if len(plain) >= LONG}
    for name in rows.column_names:
        if name in _SAID:
            continue
        if pa.types.is_string(rows[name].type) or pa.types.is_large_string(rows[name].type):
            inside = holding(rows[name], ids).to_pylist()
            theirs = [a or b or v in known for a, b, v in zip(theirs, inside, rows[name].to_pylist(), strict=True)]
        elif name == "actor_id" or name == "person_id":
            theirs = [a or b for a, b in zip(theirs, pc.is_in(rows[name], value_set=ids.actors).to_pylist(), strict=True)]
    return theirs


def holding(column: pa.ChunkedArray, ids: Ids) -> pa.ChunkedArray:
    """Per value whether it holds a long id as a word of its own; false of null."""
    values = pa.chunked_array([pa.array([False] * len(column), pa.bool_())])
    pattern = ids.pattern
    if pattern is None:
        return values
    for form in ids.forms:
        values = pc.or_(values, pc.fill_null(pc.match_substring(column, form), False))
    if not pc.any(values).as_py():
        return values
    texts = zip(values.to_pylist(), column.to_pylist(), strict=True)
    return pa.chunked_array([pa.array([bool(hit and pattern.search(str(text))) for hit, text in texts], pa.bool_())])


def _names(raw: bytes, ids: Ids) -> bool:
    text = raw.decode("utf-8", "replace")
    if ids.pattern is not None and ids.pattern.search(text):
        return True
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(content, dict):
        return False
    return any(named in ids.of(kind) for kind, named in named_ids(content))


def _set(rows: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), values)


def erase(lake: Lake, project: str, tables: Iterable[str], *, now: datetime) -> int:
    """Leaves only the manifest in force and what it and the newest versions read; returns how many files went.

    Readers that opened an older version are cut off: wait a while after ``take_out`` and the build.
    """
    forget(lake, project, before=now)
    manifest = current(lake, project)
    gone = 0
    for table in sorted(tables):
        handle = lake.open(project, table)
        if handle is None:
            continue
        newest = handle.version()
        floor = min(newest, manifest.tables.get(table, newest) if manifest else newest)
        for hours, full in ((0, False), (1, True)):  # then what a crash left; an hour spares what is being written
            kept = [floor, newest]
            gone += len(handle.vacuum(hours, dry_run=False, enforce_retention_duration=False, full=full, keep_versions=kept))
        if table in ORDER or table in TABLES:
            gone += _remove_tidied(lake, project, table, floor)
        gone += _cut_log(lake, project, table, floor)
    return gone


def _remove_tidied(lake: Lake, project: str, table: str, floor: int) -> int:
    """Files that a vacuum does not know any more, since tidied tables forget removed files at a checkpoint; and what a tidy
    or a build left that was killed, however young: none runs now, who forgets has the lease."""
    standing = paths(lake, project, table, floor) | paths(lake, project, table, None)
    names = [f"{version:020d}.json" for version in commits.log(lake, project, table).commits]
    old = commits.removed_by(lake, project, table, names) - standing
    old.update(commits.strays(lake, project, table, (*RUNS, LEAF), standing))
    return commits.remove_files(lake, project, table, old)


def _cut_log(lake: Lake, project: str, table: str, floor: int) -> int:
    """Removes the log before ``floor``: its entries hold the least and the greatest value of each column of old files."""
    handle = lake.open(project, table, floor)
    assert isinstance(handle, DeltaTable)
    handle.create_checkpoint()
    store = pyarrow.fs.PyFileSystem(DeltaStorageHandler(lake.uri(project, table), dict(lake.storage)))
    old = [
        info.path
        for info in store.get_file_info(pyarrow.fs.FileSelector("_delta_log"))
        if info.base_name[:20].isdigit() and int(info.base_name[:20]) < floor
    ]
    for path in old:
        store.delete_file(path)
    return len(old)
