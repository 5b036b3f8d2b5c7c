"""Sources: what sends. Each has a name, write keys, settings (``ingest.policy``), and is on or off.

Keys rotate without a gap: several are in force at once, so the new one is handed out first and the others get an end.
Whatever changes is published with the keys, and holds at every collector within two seconds (of other hosts: twenty).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from api.publishing import locked
from api.store import KEYS, SOURCES, Store, StoredKey, StoreError, Taken, UnknownName, naive, source_name
from ingest.policy import ADDRESSES, PLAIN, WITHOUT, Policy

_LARGEST: Final = 2**31 - 1  # an integer of the store; there is no such key
CHOICES: Final[Mapping[str, tuple[object, ...]]] = {
    "ip": ADDRESSES,
    "do_not_track": WITHOUT,
    "consent": WITHOUT,
    "consent_category": (),
    "cookie": (True, False),
}


@dataclass(frozen=True)
class Source:
    """``keys``: all its write keys, ended and revoked ones too, in the order in which they were made."""

    name: str
    on: bool
    policy: Policy
    created: datetime
    keys: tuple[StoredKey, ...] = ()

    def as_json(self, now: datetime) -> dict[str, Any]:
        settings = {name: getattr(self.policy, name) for name in CHOICES}
        keys = [_key_as_json(key, now) for key in self.keys]
        return {"name": self.name, "on": self.on, "settings": settings, "created": self.created, "keys": keys}

    @property
    def said(self) -> str:
        """Its settings, as far as they are not as by default: ``ip truncate, do_not_track drop``."""
        told = ", ".join(f"{name} {value}" for name, value in msgspec.to_builtins(self.policy).items())
        return told or "settings as by default"


class Sources:
    """Those of a store. Errors are the store's: ``UnknownName``, ``Taken``, ``StoreError``."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self, project: str) -> list[Source]:
        """By name."""
        query = sa.select(SOURCES).where(SOURCES.c.project == project).order_by(SOURCES.c.name)
        with self._store.engine.connect() as db:
            rows = db.execute(query).all()
        keys = [key for key in self._store.keys(project) if key.kind == "write"]
        return [_source(row, tuple(key for key in keys if key.source == row.name)) for row in rows]

    def get(self, project: str, name: str) -> Source:
        """Raises ``UnknownName`` with the names that exist."""
        known = {source.name: source for source in self.all(project)}
        if name not in known:
            raise UnknownName(f"there is no source '{name}'. Known: {', '.join(known) or 'none'}")
        return known[name]

    def create(self, project: str, name: str, policy: Policy, now: datetime) -> str:
        """A new source; returns its first write key, which cannot be had again."""
        self._store.project(project)
        row = {"project": project, "name": source_name(name), "enabled": True, "policy": _written(policy)}
        try:
            with self._store.engine.begin() as db:
                db.execute(sa.insert(SOURCES).values(**row, created=naive(now)))
        except sa.exc.IntegrityError:
            raise Taken(f"there is a source '{name}' already") from None
        return self._store.create_key(project, "write", name, now)

    def change(self, project: str, name: str, *, on: bool | None = None, policy: Policy | None = None) -> Source:
        found = self.get(project, name)
        changed = replace(found, on=found.on if on is None else on, policy=found.policy if policy is None else policy)
        which = sa.and_(SOURCES.c.project == project, SOURCES.c.name == name)
        with locked(self._store.folder):
            with self._store.engine.begin() as db:
                values = {"enabled": changed.on, "policy": _written(changed.policy)}
                db.execute(sa.update(SOURCES).where(which).values(**values))
            self._store.publish()
        return changed

    def add_key(self, project: str, name: str, now: datetime, text: str | None = None) -> str:
        """One more write key, beside those in force."""
        self.get(project, name)
        return self._store.create_key(project, "write", name, now, text=text)

    def rotate(self, project: str, name: str, until: datetime, now: datetime) -> str:
        """A new key; those in force until now end at ``until``, but for those that end sooner."""
        old = [key for key in self.get(project, name).keys if key.in_force(now)]
        made = self._store.create_key(project, "write", name, now)
        lasting = [key.id for key in old if key.until is None or key.until > naive(until)]
        if lasting:
            self._store.change_keys(project, KEYS.c.id.in_(lasting), now, {"until": naive(until)})
        return made

    def end_key(self, project: str, name: str, number: int, until: datetime | None, now: datetime) -> None:
        """Give a key in force an end, or with None take it away."""
        self._change_key(project, name, number, now, {"until": until and naive(until)})

    def revoke_key(self, project: str, name: str, number: int, now: datetime) -> None:
        self._change_key(project, name, number, now, {"revoked": naive(now)})

    def _change_key(
        self, project: str, name: str, number: int, now: datetime, values: Mapping[str, datetime | None]
    ) -> None:
        self.get(project, name)
        chosen = sa.and_(KEYS.c.id == min(max(number, 0), _LARGEST), KEYS.c.source == name, KEYS.c.kind == "write")
        self._store.change_keys(project, chosen, now, values)


def policy_of(given: Mapping[str, object], before: Policy = PLAIN) -> Policy:
    """``before`` with what is given. Raises ``StoreError`` with what is allowed."""
    for name, value in given.items():
        if name not in CHOICES:
            raise StoreError(f"a source has no setting '{name}'; it has {', '.join(CHOICES)}")
        if CHOICES[name] and (value not in CHOICES[name] or type(value) is not type(CHOICES[name][0])):
            raise StoreError(f"{name} cannot be {value!r}; allowed: {', '.join(map(str, CHOICES[name]))}")
        if not CHOICES[name] and not (isinstance(value, str) and len(value) <= 100):
            raise StoreError(f"{name} cannot be {value!r}; allowed: a text of at most 100 characters")
    return msgspec.structs.replace(before, **given)


def _key_as_json(key: StoredKey, now: datetime) -> dict[str, Any]:
    times = {
        name: moment and moment.replace(tzinfo=UTC) for name, moment in (("until", key.until), ("revoked", key.revoked))
    }
    created = key.created.replace(tzinfo=UTC)
    return {"id": key.id, "hint": key.hint, "created": created, **times, "in_force": key.in_force(now)}


def _source(row: Any, keys: tuple[StoredKey, ...]) -> Source:
    policy = msgspec.convert(json.loads(row.policy), Policy)
    return Source(row.name, row.enabled, policy, row.created.replace(tzinfo=UTC), keys)


def _written(policy: Policy) -> str:
    return json.dumps(msgspec.to_builtins(policy))
