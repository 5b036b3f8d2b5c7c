"""A folder of TOML files -> ``Definitions``, or every fault in it at once.

Files may be called and split as their owner likes: what counts are the tables ``[events.*]``, ``[stages.*]``,
``[funnels.*]``, ``[cohorts.*]``, ``[north_star]``, ``[virality]``, ``[accounts]`` and ``[internal]``. A kind that the folder
lacks is taken from the defaults of this package; its events are added to the default vocabulary.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from funnels import cohorts, traffic
from funnels.definitions import resolve, resolve_stages
from funnels.definitions.definition import Definitions
from funnels.definitions.written import DefinitionError, Document, Entry, Fault, hint, is_table, read

DEFAULTS: Final = Path(__file__).parent
_KINDS: Final = ("events", "stages", "funnels", "north_star", "virality", "accounts", "internal", "cohorts")
_MAY_LACK: Final = ("cohorts",)
_NAMED: Final = {
    "events": "event",
    "stages": "stage",
    "funnels": "funnel",
    "cohorts": "cohort",
}  # tables of tables, with what one is called


def load(folder: Path) -> Definitions:
    """The definitions of a deployment; the defaults where the folder is missing. Raises ``DefinitionError``."""
    faults: list[Fault] = []
    own = _documents(folder, "", faults) if folder != DEFAULTS and folder.is_dir() else []
    defaults = _documents(DEFAULTS, "jcurve's own ", faults)
    for document in own:
        _unknown_kinds(document, faults)
    tables = {kind: _tables(kind, own, defaults, faults) for kind in _KINDS}
    definitions = _resolve(tables, faults) if all(tables[kind] or kind in _MAY_LACK for kind in _KINDS) else None
    if faults or definitions is None:
        raise DefinitionError(faults)
    return definitions


def copy_defaults(folder: Path) -> list[Path]:
    """Give a deployment files of its own to edit: those it lacks are written, those it has are left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [folder / file.name for file in sorted(DEFAULTS.glob("*.toml")) if not (folder / file.name).exists()]
    for file in missing:
        shutil.copyfile(DEFAULTS / file.name, file)
    return missing


def _documents(folder: Path, called: str, faults: list[Fault]) -> list[Document]:
    documents = []
    for path in sorted(folder.glob("*.toml")):
        try:
            documents.append(read(path, called + path.name))
        except DefinitionError as error:
            faults.extend(error.faults)
    return documents


def _unknown_kinds(document: Document, faults: list[Fault]) -> None:
    for key in document.tables:
        if key not in _KINDS:
            message = f"unknown table '{key}'{hint(key, _KINDS)}"
            faults.append(Fault(document.file, document.lines.get((key,), 1), key, message))


def _tables(kind: str, own: list[Document], defaults: list[Document], faults: list[Fault]) -> dict[str, Entry]:
    """Every table of one kind by name ('' for a kind with a single one), the folder's before the package's."""
    found = _entries(kind, own, faults)
    if kind == "events":
        return {**_entries(kind, defaults, faults), **found}
    return found or _entries(kind, defaults, faults)


def _entries(kind: str, documents: Iterable[Document], faults: list[Fault]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for document in documents:
        for name, table in _named(kind, document):
            path = (kind, name) if name else (kind,)
            title = f"{_NAMED[kind]} '{name}'" if kind in _NAMED else kind
            line = document.lines.get(path, 1)
            if not is_table(table):
                faults.append(Fault(document.file, line, ".".join(path), f"{title} is {table!r}: write a table"))
            elif name in found:
                faults.append(Fault(document.file, line, ".".join(path), f"{title} is also defined in {found[name].file}"))
            else:
                found[name] = Entry(document, path, table, title, faults)
    return found


def _named(kind: str, document: Document) -> list[tuple[str, object]]:
    tables = document.tables.get(kind)
    if kind not in _NAMED or not is_table(tables):
        return [] if tables is None else [("", tables)]
    return list(tables.items())


def _resolve(tables: dict[str, dict[str, Entry]], faults: list[Fault]) -> Definitions | None:
    """None where something is noted: what was resolved then holds gaps."""
    events = {name: resolve.event(name, entry) for name, entry in tables["events"].items()}
    written = tables["stages"]
    stages = {name: resolve_stages.stage(name, entry, events, written) for name, entry in written.items()}
    resolve_stages.check_order(stages, written)
    definitions = Definitions(
        events,
        stages,
        {name: resolve.funnel(name, entry, stages) for name, entry in tables["funnels"].items()},
        resolve.north_star(tables["north_star"][""], events),
        resolve.virality(tables["virality"][""], events, stages),
        resolve.accounts(tables["accounts"][""], events),
        traffic.resolve(tables["internal"][""]),
        {name: cohorts.resolve(name, entry, events, stages) for name, entry in tables["cohorts"].items()},
    )
    return None if faults else definitions
