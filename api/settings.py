"""Settings: one table (the fields below) that makes the flags, the help, the README's table and the validation.

A value is looked for in flags, then in the environment (``JCURVE_PORT``), then in a TOML file (``jcurve.toml`` in the data
folder, or ``--config FILE``), then here. Only this module reads the environment. Wrong values, unknown ``JCURVE_*``
variables and unknown keys of the file are told all at once, as ``WrongSettings``.
"""

# ruff: noqa: RUF009 (a row of the table is a call, and made once)

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar

from api import values
from api.folder import DataFolder
from api.values import Size

PREFIX: Final = "JCURVE_"
IGNORED: Final = "JCURVE_TEST_"  # read by the tests and benchmarks, never by the product

T = TypeVar("T")


def _setting(default: T, parse: values.Parse[T], help_text: str) -> T:
    """A row of the table; the annotation of the field is its type."""
    made: T = field(default=default, metadata={"parse": parse, "help": help_text})
    return made


@dataclass(frozen=True)
class Settings:
    """Every setting of every role; a role reads those that it needs."""

    data: Path = _setting(Path("jcurve-data"), values.path, "Folder of the log, the lake, the store and the definitions.")
    project: str = _setting("default", values.project, "The project that a command works on.")
    host: str = _setting("127.0.0.1", values.text, "Address to listen on; 0.0.0.0 for every interface.")
    port: int = _setting(8123, values.port, "Port to listen on; 0 takes a free one.")
    public_url: str = _setting("", values.url, "URL under which SDKs reach this server; empty: as the request says.")
    prefix: str = _setting("", values.prefix, "Path under which SDKs may post as well, such as /x7k, against ad blockers.")
    trust_proxy: bool = _setting(False, values.boolean, "Believe X-Forwarded-For, -Proto and -Host of the proxy in front.")
    country_header: str = _setting("", values.header, "Header with the sender's country, of the proxy: CF-IPCountry.")
    workers: int = _setting(1, values.positive, "Collector processes that share the port, each with its own log.")
    max_body: Size = _setting(Size.of("500 KiB"), values.size, "Largest request body, after decompression.")
    max_event: Size = _setting(
        Size.of("32 KiB"),
        values.size,
        "Largest event; of SDKs that send larger ones 1 MiB. Beyond: rejected.",
    )
    max_properties: int = _setting(1000, values.properties, "Most properties of an event; beyond: rejected.")
    max_depth: int = _setting(64, values.depth, "Deepest that lists and objects of an event may stand in each other.")
    max_name: int = _setting(500, values.name, "Longest name of an event, in characters.")
    uploads: Size = _setting(
        Size.of("64 MiB"), values.size, "Bytes of bodies on their way to a worker before it answers 503."
    )
    request_seconds: float = _setting(60.0, values.seconds, "Seconds within which a request must have come whole.")
    queue: Size = _setting(Size.of("64 MiB"), values.size, "Bytes that wait for a worker's disk before it answers 503.")
    segment_seconds: float = _setting(1.0, values.seconds, "Age at which a segment of the log is closed.")
    segment_size: Size = _setting(Size.of("16 MiB"), values.size, "Size at which a segment of the log is closed.")
    disk_reserve: Size = _setting(Size(0), values.size, "Free disk below which senders get 503; 0: 1 %, at most 64 MiB.")
    low_disk: Size = _setting(Size.of("1 GiB"), values.size, "Free disk below which the status warns (or 5 %, if more).")
    dedup_days: int = _setting(30, values.positive, "Days within which a copy of an event is told; in one month always.")
    rejected_days: int = _setting(0, values.days, "Days that rejected events are kept; 0: as long as the events.")
    lake_url: str = _setting("", values.lake_url, "Folder or store (s3://...) of the lake; empty: in the data folder.")
    store_url: str = _setting("", values.store_url, "SQLAlchemy URL of projects and keys; empty: SQLite in the data folder.")
    definitions: str = _setting("", values.text, "Folder of the definitions (TOML); empty: in the data folder.")
    hourly_build: str = _setting("7 * * * *", values.cron, "When the hourly build runs (cron, UTC); off: never.")
    nightly_build: str = _setting("30 2 * * *", values.cron, "When the nightly build runs (cron, UTC); off: never.")
    tidy: str = _setting("*/2 * * * *", values.cron, "When small files are gathered (cron, UTC); off: never.")
    tidy_file: Size = _setting(Size.of("256 MiB"), values.size, "Size of a tidied file, about.")
    runaway_links: int = _setting(1000, values.many, "An id linked to more others than this joins nobody.")
    build_memory: Size = _setting(Size.of("2 GiB"), values.size, "Memory that a build may take before it spills to disk.")
    query_memory: Size = _setting(Size.of("2 GiB"), values.size, "Memory that the queries may take together.")
    query_threads: int = _setting(2, values.positive, "Threads of one query.")
    query_seconds: int = _setting(60, values.positive, "Seconds that one funnel's question may take.")
    queries: int = _setting(4, values.positive, "Queries that run at one time; more wait for their turn.")
    log_format: str = _setting("text", values.log_format, "Lines of the logs: text (key=value) or json.")
    log_level: str = _setting("warning", values.level, "What the processes tell: debug, info, warning or error.")

    @property
    def folder(self) -> DataFolder:
        return DataFolder(self.data)

    @property
    def lake_root(self) -> str:
        return self.lake_url or str(self.folder.lake)

    @property
    def store_address(self) -> str:
        return self.store_url or f"sqlite:///{self.folder.store}"

    @property
    def definitions_folder(self) -> Path:
        return Path(self.definitions) if self.definitions else self.folder.definitions

    @property
    def plan_folder(self) -> Path:
        return self.definitions_folder / "plan"

    def encoded(self) -> dict[str, Any]:
        """As JSON for a child process; ``decoded`` makes it settings again."""
        return {f.name: str(v) if isinstance(v := getattr(self, f.name), Path) else v for f in fields(self)}


def decoded(encoded: Mapping[str, Any]) -> Settings:
    kinds = {name: type(value) for name, value in vars(Settings()).items()}
    return Settings(**{name: kind(encoded[name]) for name, kind in kinds.items()})


@dataclass(frozen=True)
class Row:
    """A setting as it is documented."""

    name: str
    type: str
    default: str
    help: str

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")


class WrongSettings(ValueError):
    """Everything that is wrong with the settings, a line each; set them right and start again."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def table() -> list[Row]:
    return [Row(f.name, str(f.type), values.shown(f.default), f.metadata["help"]) for f in fields(Settings)]


def markdown() -> str:
    """The table of the README."""
    head = ["| setting | flag | environment | default | what it does |", "|---|---|---|---|---|"]
    rows = [
        f"| `{row.name}` | `{row.flag}` | `{row.variable}` | {f'`{row.default}`' if row.default else ''} | {row.help} |"
        for row in table()
    ]
    return "\n".join([*head, *rows])


def load(flags: Mapping[str, str], config: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from flags over the environment over the file; raises ``WrongSettings`` with all faults."""
    faults: list[str] = []
    given = {name: (f"--{name.replace('_', '-')}", text) for name, text in flags.items()}
    from_environment = _from_environment(os.environ if environment is None else environment, faults)
    first = from_environment | given
    data = Path(first["data"][1]) if "data" in first else Settings.data
    found = _from_file(config or data / "jcurve.toml", required=config is not None, faults=faults) | first
    parsed = _parse(found, faults)
    if faults:
        raise WrongSettings(faults)
    return Settings(**parsed)


def _from_environment(environment: Mapping[str, str], faults: list[str]) -> dict[str, tuple[str, str]]:
    known = {row.variable: row.name for row in table()}
    found: dict[str, tuple[str, str]] = {}
    for variable, text in sorted(environment.items()):
        if not variable.startswith(PREFIX) or variable.startswith(IGNORED) or not text:
            continue
        if variable in known:
            found[known[variable]] = (variable, text)
        else:
            faults.append(f"{variable}: unknown variable{_nearest(variable, list(known))}")
    return found


def _from_file(path: Path, *, required: bool, faults: list[str]) -> dict[str, tuple[str, str]]:
    if not path.is_file():
        if required:
            faults.append(f"--config: there is no file {path}")
        return {}
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        faults.append(f"{path}: {error}")
        return {}
    names = [row.name for row in table()]
    faults += [f"{path}: unknown key '{key}'{_nearest(key, names)}" for key in content if key not in names]
    return {key: (f"{path}: {key}", values.written(value)) for key, value in content.items() if key in names}


def _parse(found: Mapping[str, tuple[str, str]], faults: list[str]) -> dict[str, Any]:
    parsed: dict[str, Any] = {}
    for setting in fields(Settings):
        if setting.name not in found:
            continue
        where, text = found[setting.name]
        try:
            parsed[setting.name] = setting.metadata["parse"](text)
        except ValueError as error:
            faults.append(f"{where}: found '{text}', allowed: {error}")
    return parsed


def _nearest(name: str, names: list[str]) -> str:
    close = get_close_matches(name, names, 1, 0.6)
    return f"; did you mean {close[0]}?" if close else ""
