"""The store: projects and keys, in SQLite by default and in PostgreSQL by URL; sources (``sources``) and saved questions
(``saved``) lie in it too.

A key is shown once, when it is made; only its SHA-256 is kept. It is in force until it is revoked, or until the end that it
was given. After each change the hashes of the keys in force are published as ``keys.json`` (replaced in one act, readable
by the owner alone), from which collectors and the query API know their callers, so that neither needs the store while it
serves: ``{"keys": [{"hash": "9f86...", "project": "default", "source": "website", "kind": "write"}]}``, with ``until``
(seconds since the epoch), ``on`` and ``policy`` where they say anything.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Final, Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

import sqlalchemy as sa

from api import clock, values
from api.folder import DataFolder, Unusable
from api.publishing import locked, publish

Kind = Literal["write", "read", "admin"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
PREFIXES: Final[dict[Kind, str]] = {"write": "jw_", "read": "jr_", "admin": "ja_"}
DEFAULT_PROJECT: Final = "default"
_LONGEST: Final = 99_999  # days that events may be kept, counted back from now within the calendar
SOURCE: Final = re.compile(r"[^\W_][\w .-]{0,62}")
_CONNECT_SECONDS: Final = 5
OWN_KEY: Final = re.compile(r"[A-Za-z0-9._:-]{3,200}")

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
    sa.Column("until", sa.DateTime()),
)
SOURCES: Final = sa.Table(
    "sources",
    _TABLES,
    sa.Column("project", sa.String(63), sa.ForeignKey("projects.name"), primary_key=True),
    sa.Column("name", sa.String(63), primary_key=True),
    sa.Column("enabled", sa.Boolean(), nullable=False),
    sa.Column("policy", sa.Text(), nullable=False),  # JSON of an ingest.policy.Policy, without what is as by default
    sa.Column("created", sa.DateTime(), nullable=False),
)


class StoreError(Exception):
    """What the caller can set right; the message says how."""


class UnknownName(StoreError):
    """There is no project or key of that name."""


class NoAnswer(StoreError):
    """The store cannot be reached now; later it may."""


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
        if self.retention_days is not None and not 1 <= self.retention_days <= _LONGEST:
            raise StoreError(f"events cannot be kept for {self.retention_days} days; send 1 to {_LONGEST}, or 0 to keep all")

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
    until: datetime | None = None

    def in_force(self, now: datetime) -> bool:
        return self.revoked is None and (self.until is None or naive(now) < self.until)

    def ends(self, now: datetime) -> str:
        """``in force``, ``until 2026-04-01 00:00``, ``ended ...`` or ``revoked ...``."""
        if self.revoked is not None:
            return f"revoked {self.revoked:%Y-%m-%d %H:%M}"
        if self.until is None:
            return "in force"
        return f"{'until' if self.in_force(now) else 'ended'} {self.until:%Y-%m-%d %H:%M}"


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
                db.execute(sa.insert(PROJECTS).values(**vars(project), created=naive(now)))
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

    def create_key(
        self,
        project: str,
        kind: Kind,
        source: str,
        now: datetime,
        *,
        text: str | None = None,
        until: datetime | None = None,
    ) -> str:
        """The new key's text, which cannot be had again; a write key's source is made where there is none of that name.

        ``text``: a key that is in use elsewhere, such as an app's in people's hands, and shall be taken here, too.
        """
        self.project(project)
        key = PREFIXES[kind] + secrets.token_hex(16) if text is None else own_text(text, kind)
        row = {"project": project, "kind": kind, "source": source, "hash": digest(key), "hint": hint(key, kind)}
        with locked(self.folder):
            try:
                with self._engine.begin() as db:
                    if kind == "write" and db.execute(sa.select(SOURCES).where(_source(project, source))).first() is None:
                        made = {"project": project, "name": source_name(source), "enabled": True, "policy": "{}"}
                        db.execute(sa.insert(SOURCES).values(**made, created=naive(now)))
                    db.execute(sa.insert(KEYS).values(**row, created=naive(now), until=until and naive(until)))
            except sa.exc.IntegrityError:
                raise Taken("this key is known already; a key that was revoked cannot be used again") from None
            self.publish()
        return key

    def revoke_key(self, project: str, key: str, now: datetime) -> None:
        """Revoke by the number that ``keys list`` shows, or by the key itself."""
        self.change_keys(project, _named(key), now, {"revoked": naive(now)})

    def end_key(self, project: str, key: str, until: datetime | None, now: datetime) -> None:
        """Give a key an end, or with None take it away."""
        self.change_keys(project, _named(key), now, {"until": until and naive(until)})

    def change_keys(
        self, project: str, chosen: sa.ColumnElement[bool], now: datetime, values: Mapping[str, datetime | None]
    ) -> None:
        """Change those of a project's keys that are in force, and publish. Raises ``UnknownName`` where there is none."""
        lasting = sa.or_(KEYS.c.until.is_(None), KEYS.c.until > naive(now))
        found = sa.and_(chosen, KEYS.c.project == project, KEYS.c.revoked.is_(None), lasting)
        with locked(self.folder):
            with self._engine.begin() as db:
                changed = db.execute(sa.update(KEYS).where(found).values(**values)).rowcount
            self.publish()
        if not changed:
            raise UnknownName(f"project '{project}' has no such key in force; see its numbers: jcurve keys list")

    def publish(self) -> None:
        """Write ``keys.json`` anew, where it differs from the store; the caller holds the lock.

        Its time tells when the store was asked: of a key that it does not hold, nobody knew then.
        """
        asked = clock.now().timestamp()
        columns = (
            KEYS.c.hash,
            KEYS.c.project,
            KEYS.c.source,
            KEYS.c.kind,
            KEYS.c.until,
            SOURCES.c.enabled,
            SOURCES.c.policy,
        )
        theirs = sa.and_(KEYS.c.kind == "write", SOURCES.c.project == KEYS.c.project, SOURCES.c.name == KEYS.c.source)
        both = KEYS.outerjoin(SOURCES, theirs)
        query = sa.select(*columns).select_from(both).where(KEYS.c.revoked.is_(None)).order_by(KEYS.c.id)
        with self._engine.connect() as db:
            entries = [_published(row) for row in db.execute(query).all()]
        publish(self.folder.keys, json.dumps({"keys": entries}, indent=1).encode(), asked)


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
        engine = sa.create_engine(url, connect_args=_patience(url))
    except (sa.exc.ArgumentError, ImportError) as error:
        raise StoreError(f"the store's URL cannot be used: {error}; is the database's driver installed?") from error
    if engine.dialect.name == "sqlite":  # what was removed leaves no bytes: a saved funnel may have named a person
        sa.event.listen(engine, "connect", lambda raw, _: raw.execute("pragma secure_delete = on"))
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
        away = isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError)  # not one that is broken
        raise (NoAnswer if away else StoreError)(f"the store at {engine.url!r} cannot be used: {error}") from error
    return store


def _patience(url: str) -> dict[str, int]:
    """PostgreSQL's library waits for minutes where no answer comes at all."""
    driver = sa.make_url(url).get_dialect().driver
    return {"connect_timeout": _CONNECT_SECONDS} if driver in ("psycopg", "psycopg2") else {}


def source_name(written: str) -> str:
    """Raises ``StoreError``."""
    if not SOURCE.fullmatch(written):
        allowed = "up to 63 letters, digits and . _ - or space, beginning with a letter or digit"
        raise StoreError(f"a source cannot be named '{written}'; allowed: {allowed}")
    return written


def own_text(text: str, kind: Kind) -> str:
    """Raises ``StoreError``."""
    if kind != "write":
        raise StoreError(f"a {kind} key opens more than sending and is made here, not brought along")
    if not OWN_KEY.fullmatch(text) or text.startswith(("jr_", "ja_")):
        raise StoreError("a key that is brought along has 3 to 200 letters, digits and . _ : - signs")
    return text


def hint(key: str, kind: Kind) -> str:
    """What may be shown of a key; of a short one that was brought along less."""
    return f"{key[:3]}..{key[-3:]}" if key.startswith(PREFIXES[kind]) or len(key) >= 20 else f"{key[:2]}.."


def _named(key: str) -> sa.ColumnElement[bool]:
    """By number, or by the key itself."""
    return KEYS.c.id == int(key) if key.isdecimal() and len(key) < 10 else KEYS.c.hash == digest(key)


def _source(project: str, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(SOURCES.c.project == project, SOURCES.c.name == name)


def _published(row: Any) -> dict[str, Any]:
    """An entry of ``keys.json``: only what is not as by default."""
    entry = {"hash": row.hash, "project": row.project, "source": row.source, "kind": row.kind}
    policy = json.loads(row.policy or "{}")
    return {
        **entry,
        **({"until": row.until.replace(tzinfo=UTC).timestamp()} if row.until else {}),
        **({"on": False} if row.enabled is False else {}),
        **({"policy": policy} if policy else {}),
    }


def digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def naive(now: datetime) -> datetime:
    """UTC without its mark, which SQLite does not keep."""
    return now.astimezone(UTC).replace(tzinfo=None, microsecond=0)
