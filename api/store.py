"""The store: projects and keys, in SQLite by default and in PostgreSQL by URL; saved questions lie in it too (``saved``).

A key is shown once, when it is made; only its SHA-256 is kept. After each change the hashes of the keys in force are
published as ``keys.json`` (replaced in one act, readable by the owner alone), from which collectors and the query API know
their callers, so that neither needs the store while it serves:
``{"keys": [{"hash": "9f86...", "project": "default", "source": "website", "kind": "write"}]}``.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

import sqlalchemy as sa

from api import values
from api.folder import DataFolder, Unusable
from api.publishing import locked, replace_file

Kind = Literal["write", "read", "admin"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
PREFIXES: Final[dict[Kind, str]] = {"write": "jw_", "read": "jr_", "admin": "ja_"}
DEFAULT_PROJECT: Final = "default"

_TABLES: Final = sa.MetaData()
PROJECTS: Final = sa.Table(
    "projects",
    _TABLES,
    sa.Column("name", sa.String(63), primary_key=True),
    sa.Column("zone", sa.String(64), nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("created", sa.DateTime(), nullable=False),
    sa.Column("retention_days", sa.Integer()),
)
KEYS: Final = sa.Table(
    "keys",
    _TABLES,
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("project", sa.String(63), sa.ForeignKey("projects.name"), nullable=False),
    sa.Column("kind", sa.String(5), nullable=False),
    sa.Column("source", sa.String(63), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
    sa.Column("hint", sa.String(8), nullable=False),
    sa.Column("created", sa.DateTime(), nullable=False),
    sa.Column("revoked", sa.DateTime()),
)


class StoreError(Exception):
    """What the caller can set right; the message says how."""


class UnknownName(StoreError):
    """There is no project or key of that name."""


class Taken(StoreError):
    """There is one of that name already."""


@dataclass(frozen=True)
class Project:
    name: str
    zone: str = "UTC"
    currency: str = "USD"
    retention_days: int | None = None  # events older than this leave at night; None: never

    def __post_init__(self) -> None:
        try:
            values.project(self.name)
        except ValueError as allowed:
            raise StoreError(f"a project cannot be named '{self.name}'; allowed: {allowed}") from None
        if self.zone not in available_timezones():
            close = get_close_matches(self.zone, available_timezones(), 1)
            raise StoreError(f"there is no time zone '{self.zone}'; did you mean '{close[0] if close else 'UTC'}'?")
        if not (len(self.currency) == 3 and self.currency.isascii() and self.currency.isupper()):
            raise StoreError(f"'{self.currency}' is not a currency; send three capitals such as 'USD' or 'EUR' (ISO 4217)")
        if self.retention_days is not None and self.retention_days < 1:
            raise StoreError(f"events cannot be kept for {self.retention_days} days; send 1 or more, or 0 to keep all")

    @property
    def timezone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)


@dataclass(frozen=True)
class StoredKey:
    """A key as it may be shown: ``hint`` is its prefix and last three characters, ``jw_..a1b2``."""

    id: int
    project: str
    kind: str
    source: str
    hint: str
    created: datetime
    revoked: datetime | None


class Store:
    """Projects and keys. Open it with ``open_store``; use it as a context manager."""

    def __init__(self, engine: sa.Engine, folder: DataFolder) -> None:
        self._engine = engine
        self.folder = folder

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()

    @property
    def engine(self) -> sa.Engine:
        return self._engine

    def projects(self) -> list[Project]:
        with self._engine.connect() as db:
            rows = db.execute(sa.select(PROJECTS).order_by(PROJECTS.c.name)).all()
        return [Project(row.name, row.zone, row.currency, row.retention_days) for row in rows]

    def project(self, name: str) -> Project:
        """Raises ``UnknownName`` with the names that exist."""
        known = {project.name: project for project in self.projects()}
        if name not in known:
            found = f"there is no project '{name}'. Known: {', '.join(known)}"
            raise UnknownName(f"{found}. Make it: jcurve projects create {name}")
        return known[name]

    def create_project(self, project: Project, now: datetime) -> None:
        try:
            with self._engine.begin() as db:
                db.execute(sa.insert(PROJECTS).values(**vars(project), created=_naive(now)))
        except sa.exc.IntegrityError:
            raise Taken(f"there is a project '{project.name}' already; see: jcurve projects list") from None

    def set_retention(self, name: str, days: int) -> Project:
        """Keep a project's events for so many days; 0 keeps them for ever."""
        changed = replace(self.project(name), retention_days=days or None)
        with self._engine.begin() as db:
            db.execute(sa.update(PROJECTS).where(PROJECTS.c.name == name).values(retention_days=changed.retention_days))
        return changed

    def keys(self, project: str) -> list[StoredKey]:
        """A project's keys in the order in which they were made, revoked ones too."""
        columns = [column for column in KEYS.c if column.name != "hash"]
        with self._engine.connect() as db:
            rows = db.execute(sa.select(*columns).where(KEYS.c.project == project).order_by(KEYS.c.id)).all()
        return [StoredKey(*row) for row in rows]

    def create_key(self, project: str, kind: Kind, source: str, now: datetime) -> str:
        """The new key's text, which cannot be had again."""
        self.project(project)
        key = PREFIXES[kind] + secrets.token_hex(16)
        row = {"project": project, "kind": kind, "source": source, "hash": digest(key), "hint": f"{key[:3]}..{key[-3:]}"}
        with locked(self.folder):
            with self._engine.begin() as db:
                db.execute(sa.insert(KEYS).values(**row, created=_naive(now)))
            self.publish()
        return key

    def revoke_key(self, project: str, key: str, now: datetime) -> None:
        """Revoke by the number that ``keys list`` shows, or by the key itself."""
        chosen = KEYS.c.id == int(key) if key.isdecimal() else KEYS.c.hash == digest(key)
        found = sa.and_(chosen, KEYS.c.project == project, KEYS.c.revoked.is_(None))
        with locked(self.folder):
            with self._engine.begin() as db:
                changed = db.execute(sa.update(KEYS).where(found).values(revoked=_naive(now))).rowcount
            self.publish()
        if not changed:
            raise UnknownName(f"project '{project}' has no such key in force; see its numbers: jcurve keys list")

    def publish(self) -> None:
        """Write ``keys.json`` anew, where it differs from the store; the caller holds the lock."""
        columns = (KEYS.c.hash, KEYS.c.project, KEYS.c.source, KEYS.c.kind)
        with self._engine.connect() as db:
            rows = db.execute(sa.select(*columns).where(KEYS.c.revoked.is_(None)).order_by(KEYS.c.id)).mappings().all()
        content = json.dumps({"keys": [dict(row) for row in rows]}, indent=1).encode()
        target = self.folder.keys
        if not target.is_file() or target.read_bytes() != content:
            replace_file(target, content)


def open_store(url: str, folder: DataFolder, now: datetime) -> Store:
    """The store at its newest schema, with the project ``default`` and ``keys.json`` in place.

    Raises ``StoreError`` where it cannot be reached.
    """
    from api.migrations import upgrade

    try:
        folder.create()
    except Unusable as fault:
        raise StoreError(str(fault)) from None
    try:
        engine = sa.create_engine(url)
    except (sa.exc.ArgumentError, ImportError) as error:
        raise StoreError(f"the store's URL cannot be used: {error}; is the database's driver installed?") from error
    store = Store(engine, folder)
    try:
        with locked(folder):
            upgrade(engine)
            if not any(project.name == DEFAULT_PROJECT for project in store.projects()):
                with suppress(Taken):  # another host made it in this moment
                    store.create_project(Project(DEFAULT_PROJECT), now)
            store.publish()
    except sa.exc.SQLAlchemyError as error:
        engine.dispose()
        raise StoreError(f"the store at {engine.url!r} cannot be used: {error}") from error
    return store


def digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _naive(now: datetime) -> datetime:
    """UTC without its mark, which SQLite does not keep."""
    return now.astimezone(UTC).replace(tzinfo=None, microsecond=0)
