"""Funnels that somebody saved: a request under a name, beside the ones that the definitions' files hold.

``question`` is the body of ``POST /api/funnel``. With ``last`` ("90d") its ``from`` and ``to`` move along: the last so many
days up to and with today, in the question's time zone. The table has room for other kinds of questions.

Whoever may read may save, since nothing that is saved changes data; what was saved with keys of one source is changed and
removed with keys of that source, or an admin key. A project holds at most ``MOST``: a lost key cannot fill the store.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa

from api.errors import Conflict, Detail, Forbidden, Problem, Unprocessable, unknown
from api.store import Store
from funnels.durations import parse_duration
from funnels.errors import BadRequest
from funnels.request import Known, parse
from ingest.keys import Key

MOST: Final = 500
NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
TITLE: Final = 120  # characters
_KIND: Final = "funnel"
_FIELDS: Final = ("name", "title", "question", "last")
_TABLE: Final = sa.table(
    "saved_questions",
    *map(sa.column, ("project", "kind", "name", "title", "question", "last", "saved_by")),
    sa.column("created", sa.DateTime()),
    sa.column("changed", sa.DateTime()),
)


@dataclass(frozen=True)
class Saved:
    """Times are UTC; ``saved_by`` is the source of the key it was saved with."""

    name: str
    title: str
    question: Mapping[str, Any]
    last: str | None
    saved_by: str
    created: datetime
    changed: datetime

    def as_json(self) -> dict[str, Any]:
        return {**vars(self), "question": dict(self.question)}

    def asked(self, now: datetime) -> dict[str, Any]:
        """The request as it is meant today."""
        return with_range(self.question, self.last, now)

    @property
    def steps(self) -> list[str]:
        """What the steps are called, or match."""
        return [_called(step) for step in self.question["steps"]]


class SavedFunnels:
    """Those of a store. Errors are the query API's: 404, 409, 422, 403."""

    def __init__(self, store: Store) -> None:
        self._engine = store.engine

    def all(self, project: str) -> list[Saved]:
        """By title."""
        with self._engine.connect() as db:
            rows = db.execute(sa.select(_TABLE).where(_of(project)).order_by(_TABLE.c.title, _TABLE.c.name)).all()
        return [_saved(row) for row in rows]

    def find(self, project: str, name: str) -> Saved | None:
        with self._engine.connect() as db:
            row = db.execute(sa.select(_TABLE).where(_of(project, name))).one_or_none()
        return None if row is None else _saved(row)

    def get(self, project: str, name: str) -> Saved:
        """Raises 404 with the names that exist."""
        found = self.find(project, name)
        if found is None:
            raise unknown("saved funnel", "name", name, [one.name for one in self.all(project)])
        return found

    def add(self, project: str, saved: Saved, others: Collection[str]) -> Saved:
        """Raises 409 where the name is taken, here or among ``others``, the names of the files."""
        if saved.name in others:
            raise Conflict(f"'{saved.name}' is a funnel of the definitions; choose another name.")
        if len(self.all(project)) >= MOST:
            raise Conflict(f"There are {MOST} saved funnels, the most that a project holds; remove some first.")
        row = {**saved.as_json(), "question": json.dumps(saved.question)}
        try:
            with self._engine.begin() as db:
                times = {"created": _naive(saved.created), "changed": _naive(saved.changed)}
                db.execute(sa.insert(_TABLE).values(project=project, kind=_KIND, **row | times))
        except sa.exc.IntegrityError:
            raise Conflict(
                f"A funnel is saved as '{saved.name}' already; choose another name, or change that one."
            ) from None
        return saved

    def change(self, project: str, saved: Saved) -> Saved:
        new = {"title": saved.title, "question": json.dumps(saved.question), "last": saved.last}
        with self._engine.begin() as db:
            db.execute(sa.update(_TABLE).where(_of(project, saved.name)).values(**new, changed=_naive(saved.changed)))
        return saved

    def remove(self, project: str, name: str) -> None:
        with self._engine.begin() as db:
            db.execute(sa.delete(_TABLE).where(_of(project, name)))


def read(body: object, key: Key, now: datetime, known: Known) -> Saved:
    """A new one from a request's body; raises 422 with every fault. Without a name it gets one of its title."""
    given = _object(body)
    title = _title(given)
    name = given.get("name") or slug(title)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise _wrong("name", name, ["up to 63 of a-z, 0-9 and '-'"], "name it in lower case, such as sign-up-to-paid")
    question, last = checked(given.get("question"), given.get("last"), now, known)
    moment = now.replace(microsecond=0)
    return Saved(name, title, question, last, key.source, moment, moment)


def changed(saved: Saved, body: object, now: datetime, known: Known) -> Saved:
    """``saved`` with what the body says anew: its title, its question with ``last``, or both. The name stays."""
    given = _object(body)
    if given.get("name", saved.name) != saved.name:
        raise _wrong("name", given["name"], [saved.name], "a name stays; save it anew under the other one")
    title, moment = _title(given) if "title" in given else saved.title, now.replace(microsecond=0)
    if "question" not in given and "last" not in given:
        return replace(saved, title=title, changed=moment)
    question, last = checked(given.get("question", saved.question), given.get("last"), now, known)
    return replace(saved, title=title, question=question, last=last, changed=moment)


def may_change(saved: Saved, key: Key) -> None:
    """Raises 403."""
    if key.kind != "admin" and key.source != saved.saved_by:
        raise Forbidden(f"'{saved.name}' was saved with a key of '{saved.saved_by}': take one of those, or an admin key.")


def checked(question: object, last: object, now: datetime, known: Known) -> tuple[Mapping[str, Any], str | None]:
    """What can be asked today; raises 422 with paths below ``question``. ``known``: what requests may name."""
    if not isinstance(question, Mapping):
        raise _wrong("question", question, ["the body of POST /api/funnel"], "write the question as an object")
    if last is not None:
        _days(last)
    try:
        parse(with_range(question, None if last is None else str(last), now), known)
    except BadRequest as error:
        faults = [Detail(f"question.{f.path}".rstrip("."), f.found, list(f.allowed), f.message) for f in error.faults]
        raise Unprocessable(str(error), faults) from None
    return question, None if last is None else str(last)


def with_range(question: Mapping[str, Any], last: str | None, now: datetime) -> dict[str, Any]:
    if last is None:
        return dict(question)
    try:
        place = ZoneInfo(str(question.get("timezone") or "UTC"))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        place = ZoneInfo("UTC")  # the question is refused for it where it is read
    end = now.astimezone(place).date() + timedelta(days=1)
    return {**question, "from": (end - timedelta(days=_days(last))).isoformat(), "to": end.isoformat()}


def slug(title: str) -> str:
    """``slug("Sign-up to Paid!") == "sign-up-to-paid"``; letters beyond a-z that are lost are told apart by a digest."""
    letters = unicodedata.normalize("NFKD", title.casefold())
    plain = re.sub(r"[^a-z0-9]+", "-", "".join(one for one in letters if not unicodedata.combining(one))).strip("-")
    lost = any(one.isalnum() and not one.isascii() for one in letters)
    mark = f"-{sha256(title.encode()).hexdigest()[:6]}" if lost else ""
    return (plain[: 63 - len(mark)].strip("-") or "funnel") + mark


def _days(last: object) -> int:
    try:
        days = parse_duration(last if isinstance(last, str) else "") / timedelta(days=1)
    except (ValueError, OverflowError):
        days = 0
    if days != int(days) or not 1 <= days <= 36600:
        raise _wrong("last", last, ["7d", "90d", "52w"], "a number of whole days")
    return int(days)


def _title(given: Mapping[str, Any]) -> str:
    title = given.get("title")
    if not isinstance(title, str) or not 1 <= len(title.strip()) <= TITLE:
        raise _wrong("title", title, [f"a text of 1 to {TITLE} characters"], "give it a title")
    return title.strip()


def _object(body: object) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        raise _wrong("body", type(body).__name__, ["an object"], "write an object with title and question")
    for name in body:
        if name not in _FIELDS:
            raise _wrong(str(name), body[name], list(_FIELDS), "unknown key")
    return body


def _wrong(path: str, found: object, allowed: list[object] | list[str], message: str) -> Problem:
    return Unprocessable(f"{path}: {message}.", [Detail(path, found, allowed, message)])


def _called(step: Mapping[str, Any]) -> str:
    several = step.get("any_of") or [step.get("event", "")]
    return str(step.get("label") or " or ".join(one if isinstance(one, str) else one["event"] for one in several))


def _of(project: str, name: str | None = None) -> sa.ColumnElement[bool]:
    found = sa.and_(_TABLE.c.project == project, _TABLE.c.kind == _KIND)
    return found if name is None else sa.and_(found, _TABLE.c.name == name)


def _saved(row: Any) -> Saved:
    times = (row.created.replace(tzinfo=UTC), row.changed.replace(tzinfo=UTC))
    return Saved(row.name, row.title, json.loads(row.question), row.last, row.saved_by, *times)


def _naive(moment: datetime) -> datetime:
    """UTC without its mark, which SQLite does not keep."""
    return moment.astimezone(UTC).replace(tzinfo=None, microsecond=0)
