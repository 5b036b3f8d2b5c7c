"""A year of a company in the lake, as tidy leaves it: ``python -m tests.bench.year FOLDER --events 10000000``.

FOLDER becomes a data folder with the project ``default`` (zone UTC). A hundred events a person on average: each has one to
four ids (1.7 on average), visits over the year in sessions of 3 to 10 events, a few people very often and most seldom. The
events are those of the default vocabulary, so that stages, funnels and virality find what they look for. No log is read:
a month's rows are sorted and written with tidy's columns, order, row groups and statistics, one commit a month.

Everything about an event follows from its session and place in it by a hash, so two processes make the months side by side,
and the same seed and count make the same events.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
import uuid
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction
from numpy.typing import NDArray

from api.folder import DataFolder
from api.settings import Settings
from api.store import Project, open_store
from funnels.definitions.load import DEFAULTS, load
from ingest.event import EVENTS, actor_ids
from ingest.lake import Lake, told
from transforms.layout import Rules
from transforms.rewrite import ROW_GROUP, first_group, run_writer
from transforms.tidy import ORDER, tidy

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

PROJECT: Final = "default"
EACH: Final = 100  # events of a person, on average
BEGIN: Final = datetime(2025, 3, 16, tzinfo=UTC)
END: Final = datetime(2026, 3, 16, tzinfo=UTC)
SECOND: Final = 1_000_000
_DAY: Final = 86_400 * SECOND
_FIRST, _LAST = (int(moment.timestamp()) * SECOND for moment in (BEGIN, END))
_SPAN: Final = _LAST - _FIRST
_FILE_BYTES: Final = Rules().file_bytes
_AT_ONCE: Final = 16 * ROW_GROUP  # rows that are made at one time
_LOG: Final = "7e7ab0ac00de4b1fa2a5c0ffee15f00d"

_PAGES: Final = (
    "Home", "Pricing", "Docs", "Blog", "Login", "Dashboard", "Project", "Report", "Settings", "Members", "Search",
)  # fmt: skip
_KINDS: Final = ("$alias", "$group", "$identify")
NAMES: Final = tuple(sorted((*load(DEFAULTS).events, *_PAGES, *_KINDS)))  # sorted: a name's number sorts as the name does
_CODE: Final = {name: code for code, name in enumerate(NAMES)}
# Per mille of what comes where nothing else is said; the rest are pages.
_OF_USERS: Final = {
    "Task Completed": 190, "Task Created": 140, "File Uploaded": 60, "Project Created": 25, "Report Exported": 30,
    "Signed In": 40, "Signed Out": 20, "$identify": 20, "$group": 6, "Integration Connected": 8, "Limit Reached": 10,
    "Pricing Viewed": 12, "Onboarding Completed": 6, "Contact Sales Clicked": 1, "Demo Requested": 1, "Trial Started": 3,
    "Trial Ended": 2, "Account Added User": 5, "Account Removed User": 2, "Subscription Upgraded": 2,
    "Subscription Downgraded": 1, "Account Created": 3, "Account Deleted": 1, "Invite Sent": 12,
}  # fmt: skip
_OF_VISITORS: Final = {"Pricing Viewed": 30, "Demo Requested": 1}
_USERS, _VISITORS, _BOTH, _DEVICES = 1, 0, 2, 3  # by how they come: a user id only, a device only, both, two devices and it


def _hash(values: Ints) -> NDArray[np.uint64]:
    """SplitMix64: 64 even bits of each number."""
    z = values.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _uuids(high: NDArray[np.uint64], low: NDArray[np.uint64]) -> pa.Array:
    """Strings like ``6b1f0c1e-...`` of 128 bits each."""
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    raw = np.stack([high, low], axis=1).view(np.uint8)
    found = np.full((len(high), 36), ord("-"), np.uint8)
    places = [at for at in range(36) if at not in (8, 13, 18, 23)]
    found[:, places[0::2]] = digits[raw >> 4]
    found[:, places[1::2]] = digits[raw & 15]
    offsets = np.arange(0, 36 * (len(high) + 1), 36, dtype=np.int32)
    return pa.StringArray.from_buffers(len(high), pa.py_buffer(offsets), pa.py_buffer(found))


@dataclass(frozen=True)
class People:
    """Columns with a row per person. ``account`` and ``inviter`` are -1 where there is none."""

    comes: Ints
    joined: Ints
    account: Ints
    inviter: Ints
    by_mail: Bools  # the invitation is known by its address only
    active: Bools  # does what activation asks for at once
    payer: Bools
    leaver: Bools
    renamed: Bools  # has a former user id
    ids: pa.StringArray  # of each person its user id, first device, second device, former user id
    actors: Ints  # of the same; 0 where a person has no such id


@dataclass(frozen=True)
class Sessions:
    """Columns with a row per session, by person and time. ``nth``: of its person, from 0."""

    person: Ints
    start: Ints
    nth: Ints
    size: Ints


def people(count: int, seed: int) -> People:
    random = np.random.default_rng([seed, 1])
    comes = random.choice(4, count, p=[0.25, 0.2, 0.45, 0.1])
    users = comes != _VISITORS
    early = random.random(count) < 0.4  # those who were there before the year come in its first month
    joined = _FIRST + (random.random(count) * np.where(early, 30 * _DAY, _SPAN - _DAY)).astype(np.int64)
    accounts = max(count * 3 // 16, 1)  # a fifth of them find no member
    sizes = np.minimum(random.pareto(1.3, accounts) * 1.5 + 1, 50).astype(np.int64)
    members = np.repeat(np.arange(accounts), sizes)
    account = np.where(users & (random.random(count) < 0.9), random.choice(members, count), -1)
    ranked = np.flatnonzero(users)[np.argsort(joined[users], kind="stable")]
    inviter = np.full(count, -1)
    chosen = random.random(len(ranked)) < 0.25
    chosen[0] = False
    rank = np.flatnonzero(chosen)
    inviter[ranked[rank]] = ranked[(random.random(len(rank)) * rank).astype(np.int64)]
    inviter[(inviter >= 0) & (joined - joined[inviter] < _DAY)] = -1
    mates = (inviter >= 0) & (random.random(count) < 0.6)
    account = np.where(mates & (account >= 0), account[inviter], account)
    renamed = users & (random.random(count) < 0.001)
    number = np.arange(count)
    device, second = (
        _uuids(_hash(number * 7 + salt), _hash(number * 7 + salt + 1)) for salt in (seed * 100 + 1, seed * 100 + 3)
    )
    user = pa.array([f"u{one}" for one in range(count)])
    former = pa.array([f"old-u{one}" for one in range(count)])
    actors = np.zeros((count, 4), np.int64)
    for place, kind, ids, has in (
        (0, "user", user, users), (1, "anonymous", device, comes != _USERS),
        (2, "anonymous", second, comes == _DEVICES), (3, "user", former, renamed),
    ):  # fmt: skip
        actors[has, place] = actor_ids(kind, ids.filter(pa.array(has)).to_pylist())
    return People(
        comes, joined, account, inviter, random.random(count) < 0.3, users & (random.random(count) < 0.35),
        users & (account >= 0) & (random.random(count) < 0.12), random.random(count) < 0.25, renamed,
        pa.concat_arrays([user, device, second, former]), actors.T.reshape(-1).copy(),
    )  # fmt: skip


def sessions(known: People, events: int, seed: int) -> Sessions:
    random = np.random.default_rng([seed, 2])
    count = len(known.comes)
    weight = np.minimum(random.pareto(1.6, count) + 0.3, 40) * (0.1 + (_LAST - known.joined) / _SPAN)
    weight[known.comes == _VISITORS] *= 0.1
    more = max(events / 5.63 - count, 0)  # 5.63 events a session
    number = 1 + random.poisson(weight * more / weight.sum())
    person = np.repeat(np.arange(count), number)
    first = np.zeros(len(person), bool)
    first[np.cumsum(number) - number] = True
    joined = known.joined[person]
    start = joined + 3_600 * SECOND + (random.random(len(person)) * (_LAST - 8 * 3_600 * SECOND - joined)).astype(np.int64)
    midday = start // _DAY * _DAY + np.clip(random.normal(14, 4, len(person)), 0, 23.9) * 3_600 * SECOND
    start = np.where(first, joined, np.clip(midday, joined + 2 * 3_600 * SECOND, _LAST - 2 * 3_600 * SECOND)).astype(
        np.int64
    )
    order = np.argsort((person << 36) + (start - _FIRST) // 1_000, kind="stable")
    start, nth = start[order], np.arange(len(person)) - np.repeat(np.cumsum(number) - number, number)
    signs_up = (nth == 0) & (known.comes != _VISITORS)[person]
    size = np.where(signs_up, np.where(known.active[person], 10, 6), random.integers(3, 9, len(person)))
    return Sessions(person, start, nth, size)


@dataclass(frozen=True)
class Narrow:
    """A month's events as numbers, in the order of the table."""

    person: Ints
    time: Ints
    code: Ints
    nth: Ints
    place: Ints
    seed: Ints  # what is random about each event comes of this


def _default(code_of: dict[str, int]) -> Ints:
    """4,096 lots, each an event's number."""
    lots = [_CODE[name] for name, share in code_of.items() for _ in range(share * 4096 // 1000)]
    rest = [_CODE[page] for page in _PAGES]
    return np.array(lots + [rest[at % len(rest)] for at in range(4096 - len(lots))])


def month_events(known: People, visits: Sessions, month: str, seed: int) -> Narrow:
    since, until = (int(moment.timestamp()) * SECOND for moment in _bounds(month))
    chosen = np.flatnonzero((visits.start >= since - 3 * 3_600 * SECOND) & (visits.start < until))
    size = visits.size[chosen]
    session = np.repeat(chosen, size)
    place = np.arange(len(session)) - np.repeat(np.cumsum(size) - size, size)
    bits = _hash((session * 16 + place) + (seed << 40))
    gap = np.where(place == 0, 0, 2 * SECOND + ((bits & np.uint64(0xFFFF)) / 65_536) ** 3 * 600 * SECOND).astype(np.int64)
    along = np.cumsum(gap)
    along -= np.repeat(along[np.cumsum(size) - size], size)
    at = visits.start[session] + along
    inside = (at >= since) & (at < min(until, _LAST))
    session, place, bits, at = session[inside], place[inside], bits[inside], at[inside]
    person, nth = visits.person[session], visits.nth[session]
    user = known.comes[person] != _VISITORS
    lot = ((bits >> np.uint64(16)) & np.uint64(4095)).astype(np.int64)
    code = np.where(user, _default(_OF_USERS)[lot], _default(_OF_VISITORS)[lot])
    code[(code == _CODE["$group"]) & (known.account[person] < 0)] = _CODE["Home"]
    _plot(code, known, person, nth, place, user)
    person, at, code, nth, place, bits = _with_invitations(known, since, until, seed, person, at, code, nth, place, bits)
    order = np.argsort((code << 45) + (at - _FIRST), kind="stable")
    return Narrow(person[order], at[order], code[order], nth[order], place[order], bits.view(np.int64)[order])


def _plot(code: Ints, known: People, person: Ints, nth: Ints, place: Ints, user: Bools) -> None:
    """What the stages look for, at its place in a person's life."""
    start, active, invited = user & (nth == 0), known.active[person], known.inviter[person] >= 0
    last = np.where(active, 9, 5)
    code[start & (place < 2)] = _CODE["Home"]
    code[start & (place == 2)] = _CODE["$identify"]
    code[start & (place == 3)] = _CODE["Signed Up"]
    code[start & (place == 4)] = np.where(known.account[person[start & (place == 4)]] >= 0, _CODE["$group"], _CODE["Docs"])
    code[start & active & (place == 5)] = _CODE["Project Created"]
    code[start & active & (place > 5) & (place < 9)] = _CODE["Task Completed"]
    code[start & (place == last)] = _CODE["Dashboard"]
    code[start & (place == last) & invited & ~known.by_mail[person]] = _CODE["Invite Accepted"]
    code[(known.comes[person] == _DEVICES) & (nth == 3) & (place < 2)] = _CODE["Home"]
    code[(known.comes[person] == _DEVICES) & (nth == 3) & (place == 2)] = _CODE["$identify"]
    code[user & (nth > 0) & (nth != 3) & (nth % 3 == 0) & (place == 0)] = _CODE["Signed In"]
    code[known.renamed[person] & (nth == 2) & (place == 0)] = _CODE["$alias"]
    code[known.payer[person] & (nth == 2) & (place == 1)] = _CODE["Subscription Started"]
    code[known.payer[person] & known.leaver[person] & (nth == 6) & (place == 1)] = _CODE["Subscription Cancelled"]


def _with_invitations(
    known: People, since: int, until: int, seed: int, person: Ints, at: Ints, code: Ints, nth: Ints, place: Ints, bits: Any
) -> tuple[Ints, Ints, Ints, Ints, Ints, Any]:
    """Adds the invitations that brought somebody, up to five days before; their ``place`` is -1 - who came."""
    invited = np.flatnonzero(known.inviter >= 0)
    own = _hash(invited + (seed << 40) + (1 << 60))
    wait = (own & np.uint64(0xFFFF)).astype(np.int64) * (5 * _DAY >> 16)
    sent = np.maximum(known.joined[invited] - 3_600 * SECOND - wait, known.joined[known.inviter[invited]] + 3_600 * SECOND)
    here = (sent >= since) & (sent < until)
    invited, sent, own = invited[here], sent[here], own[here]
    named = np.full(len(invited), _CODE["Invite Sent"])
    return (
        np.concatenate([person, known.inviter[invited]]), np.concatenate([at, sent]), np.concatenate([code, named]),
        np.concatenate([nth, np.full(len(invited), 1)]), np.concatenate([place, -1 - invited]), np.concatenate([bits, own]),
    )  # fmt: skip


_SOURCES: Final = pa.array(["web", "backend"])
_LIBRARIES: Final = pa.array(["analytics.js/next-1.70.0", "analytics-node/2.1.0"])
_PATHS: Final = [f"/{page.lower()}" + (f"/{number}" if number else "") for page in _PAGES for number in range(40)]
_CAME_BY: Final = (  # referrer, utm source, medium, campaign
    ("https://www.google.com/", None, None, None), ("https://duckduckgo.com/", None, None, None),
    ("https://www.linkedin.com/feed/", None, None, None), ("https://news.example.org/item", None, None, None),
    (None, "google", "cpc", "brand"), (None, "google", "cpc", "generic"), (None, "newsletter", "email", "march"),
    (None, "facebook", "paid_social", "spring"), (None, "partner-one", "partner", None),
    *((None, None, None, None),) * 7,
)  # fmt: skip
_SEEN_BY: Final = [  # device, os, browser, locale, country
    (device, system, browser, locale, country)
    for device, system, browser in (
        ("desktop", "Windows", "Chrome"), ("desktop", "Mac OS X", "Safari"), ("desktop", "Windows", "Edge"),
        ("desktop", "Linux", "Firefox"), ("mobile", "iOS", "Safari"), ("mobile", "Android", "Chrome"),
    )
    for locale, country in (("en-US", "US"), ("en-GB", "GB"), ("de-DE", "DE"), ("fr-FR", "FR"), ("pl-PL", "PL"))
]  # fmt: skip
_CONTEXTS: Final = pa.array(
    json.dumps({"userAgent": f"Mozilla/5.0 ({one[1]}) {one[2]}/{version}.0", "locale": one[3], "screen": {"density": 2}})
    for version in range(120, 136)
    for one in _SEEN_BY
)
_WORDS: Final = ("free", "trial", "team", "business", "email", "google", "sso", "pdf", "csv", "slack", "github", "seats")


def rows(known: People, part: Narrow, first: int) -> pa.Table:
    """The events as the table has them, without its partition column. ``first``: the place of the first one in the log."""
    person, nth, place = part.person, part.nth, part.place
    bits = part.seed.view(np.uint64)
    count, people_count = len(person), len(known.comes)
    kinds = _kinds()[part.code]
    comes, users = known.comes[person], known.comes[person] != _VISITORS
    web = (comes != _USERS) & ((bits >> np.uint64(28)) & np.uint64(7) != 0)
    other = (comes == _DEVICES) & (nth >= 3) & ((nth == 3) | ((bits >> np.uint64(31)) & np.uint64(1) == 1))
    unknown = (
        ~users
        | ((comes >= _BOTH) & (nth == 0) & (place >= 0) & (place < 2))
        | ((comes == _DEVICES) & (nth == 3) & (place < 2))
    )
    links = (part.code == _CODE["$identify"]) & (comes >= _BOTH)
    web |= unknown | links
    alias = part.code == _CODE["$alias"]
    former = known.renamed[person] & (nth < 2)
    user_at = person + np.where(former, 3 * people_count, 0)
    device_at = person + np.where(other, 2, 1) * people_count
    actor = known.actors[np.where(unknown, device_at, user_at)]
    strings = {
        "user_id": known.ids.take(pa.array(user_at, mask=unknown)),
        "anonymous_id": known.ids.take(pa.array(device_at, mask=~web | (comes == _USERS))),
        "previous_id": known.ids.take(pa.array(person + 3 * people_count, mask=~alias)),
    }
    grouped = known.account[person]
    told = (grouped >= 0) & (users & ~unknown) & ((part.code == _CODE["$group"]) | (~web & (nth > 0)))
    is_page = kinds == 1
    path = (bits >> np.uint64(32)) % np.uint64(40)
    page = np.array([_PAGES.index(name) if name in _PAGES else 0 for name in NAMES])[part.code] * 40 + path.astype(np.int64)
    arrival = np.where(is_page & (place == 0), (bits >> np.uint64(40)) & np.uint64(15), 15).astype(np.int64)
    seen = (known.joined[person] // 1_000 % len(_SEEN_BY)).astype(np.int64)
    paths, urls = (pa.array([f"{host}{path}" for path in _PATHS]) for host in ("", "https://app.example"))
    columns: dict[str, Any] = {
        "event_id": _uuids(bits, _hash(part.seed ^ 0x5DEECE66D)),
        "kind": _of(pa.array(["track", "page", "identify", "group", "alias"]), kinds),
        "event": _of(pa.array(NAMES), part.code),
        "time": pa.array(part.time, pa.timestamp("us", "UTC")),
        "original_time": pa.array(part.time // 1_000 * 1_000, pa.timestamp("us", "UTC")),
        "sent_at": pa.array(part.time // 1_000 * 1_000 + 2 * SECOND, pa.timestamp("us", "UTC")),
        "received_at": pa.array(
            part.time + 2 * SECOND + (bits >> np.uint64(44)).astype(np.int64) % 300_000, pa.timestamp("us", "UTC")
        ),
        **strings,
        "actor_id": pa.array(actor),
        "account_id": _joined("a", pa.array(grouped, mask=~told)),
        "source": _of(_SOURCES, (~web).astype(np.int64)),
        "library": _of(_LIBRARIES, (~web).astype(np.int64)),
        "page_url": _of(urls, page, ~(web & is_page)),
        "page_path": _of(paths, page, ~(web & is_page)),
        "bot": pa.array(~users & (person % 40 == 0)),
        "properties": _properties(known, part, bits),
        "context": _of(_CONTEXTS, (bits >> np.uint64(50)).astype(np.int64) % 16 * len(_SEEN_BY) + seen),
        "log": _of(pa.array([_LOG]), np.zeros(count, np.int64)),
        "log_offset": pa.array(np.arange(first, first + count)),
    }
    for at, name in enumerate(("page_referrer", "utm_source", "utm_medium", "utm_campaign")):
        columns[name] = _of(pa.array([one[at] for one in _CAME_BY], pa.string()), arrival, ~web)
    for at, name in enumerate(("device", "os", "browser", "locale", "country")):
        columns[name] = _of(pa.array([one[at] for one in _SEEN_BY]), seen, ~web)
    schema = _schema()
    return pa.table({f.name: _plain(columns.get(f.name, pa.nulls(count, f.type)), f.type) for f in schema}, schema=schema)


def _schema() -> pa.Schema:
    return pa.schema(field for field in EVENTS if field.name != "month")


def _kinds() -> Ints:
    order = {"$identify": 2, "$group": 3, "$alias": 4}
    return np.array([1 if name in _PAGES else order.get(name, 0) for name in NAMES])


def _of(words: pa.Array, at: Ints, mask: Bools | None = None) -> pa.Array:
    return words.take(pa.array(at, mask=mask))


def _plain(column: Any, kind: pa.DataType) -> Any:
    return column if column.type == kind else column.cast(kind)


def _joined(*parts: Any) -> Any:
    """Strings made of constants and of columns of numbers or strings; null where a column is."""
    written = [one if isinstance(one, str) else pc.cast(pa.array(one), pa.string()) for one in parts]
    return pc.binary_join_element_wise(*written, "")


def _properties(known: People, part: Narrow, bits: NDArray[np.uint64]) -> pa.ChunkedArray:
    """Of each event as fits its name. Rows come in the order of the names, so each name is one stretch."""
    edges = np.flatnonzero(np.diff(part.code, prepend=-1))
    bounds = [*edges.tolist(), len(part.code)]
    found = [
        _properties_of(NAMES[part.code[since]], known, part.person[since:until], part.place[since:until], bits[since:until])
        for since, until in pairwise(bounds)
    ]
    return pa.chunked_array(found, pa.string())


def _properties_of(name: str, known: People, person: Ints, place: Ints, bits: NDArray[np.uint64]) -> pa.Array:
    low, some = (bits >> np.uint64(20)).astype(np.int64), (bits >> np.uint64(8)).astype(np.int64)
    if name == "$identify":
        return _joined('{"email": "p', person, "@mail", person % 5_000, '.example", "name": "Person ', person, '"}')
    if name == "$group":
        account = known.account[person]
        return _joined('{"name": "Account ', account, '", "plan": "team", "employees": ', account % 900, "}")
    if name == "Invite Sent":
        came = np.where(place < 0, -1 - place, person)
        invite = np.where(place < 0, came, len(known.comes) + low % 1_000_000_000)
        layer = pa.array(["scene", "contacts", "incentive"]).take(pa.array(some % 3))
        address = np.where(place < 0, came, len(known.comes) + some % 1_000_000)
        mail = ('", "invitee_email": "p', address, "@mail", address % 5_000, '.example", "layer": "', layer, '"}')
        return _joined('{"invite_id": "i', invite, *mail)
    if name == "Invite Accepted":
        return _joined('{"invite_id": "i', person, '"}')
    if name == "Signed Up":
        invited = _joined(
            ', "invite_id": "i', pa.array(person, mask=(known.inviter[person] < 0) | known.by_mail[person]), '"'
        )
        return _joined(
            '{"plan": "free", "method": "', _of(pa.array(_WORDS[4:7]), some % 3), '"', pc.fill_null(invited, ""), "}"
        )
    if name in ("Task Created", "Task Completed"):
        return _joined(
            '{"task_id": "t', low % 1_000_000_000, '", "project_id": "p', person, '", "minutes": ', some % 240, "}"
        )
    if name in _PAGES:
        told = [json.dumps({"title": name, "position": number}) for number in range(40)]
        return _of(pa.array(told), (bits >> np.uint64(32)).astype(np.int64) % 40)
    told = [json.dumps({"plan": word, "amount": 12.5 * at, "format": word, "seats": at}) for at, word in enumerate(_WORDS)]
    return _of(pa.array(told), some % len(told))


@dataclass(frozen=True)
class Made:
    """A file of a month: its path in the table, its size, and its statistics as Delta's log has them."""

    path: str
    size: int
    stats: str


def write_month(folder: Path, known: People, visits: Sessions, month: str, seed: int, first: int) -> list[Made]:
    """Files as ``transforms.rewrite`` writes them. ``first``: the place in the log from which on the month's events are."""
    narrow = month_events(known, visits, month, seed)
    kind = "settled" if _bounds(month)[1] <= END else "run"
    stem = f"month={month}/{kind}-{uuid.UUID(int=seed * 100_000 + int(month[2:4] + month[5:])).hex}"
    made: list[Made] = []
    begun = 0
    (folder / f"month={month}").mkdir(parents=True)
    schema = _schema()
    while begun < len(narrow.time):
        name = f"{stem}-{len(made):04d}.parquet"
        with (
            (folder / name).open("wb") as sink,
            run_writer(sink, schema, ORDER["events"]) as writer,
        ):
            while begun < len(narrow.time) and sink.tell() < _FILE_BYTES:
                part = Narrow(*(column[begun : begun + _AT_ONCE] for column in vars(narrow).values()))
                made_of = rows(known, part, first + begun)
                while made_of.num_rows:
                    length = first_group(made_of["event"])
                    writer.write_table(made_of.slice(0, length))
                    made_of = made_of.slice(length)
                begun += _AT_ONCE
        stats = told(pq.read_metadata(folder / name))
        made.append(Made(name, (folder / name).stat().st_size, stats))
    return made


def months() -> list[str]:
    return [f"{2025 + number // 12}-{number % 12 + 1:02d}" for number in range(BEGIN.month - 1, END.month + 12)]


def _bounds(month: str) -> tuple[datetime, datetime]:
    first = datetime(int(month[:4]), int(month[5:]), 1, tzinfo=UTC)
    return first, (first + timedelta(days=32)).replace(day=1)


_HELD: tuple[Path, People, Sessions, int]  # what a forked worker finds


def _work(month: str) -> list[Made]:
    folder, known, visits, seed = _HELD
    return write_month(folder, known, visits, month, seed, int(month[2:4] + month[5:]) << 32)


def write(data: Path, events: int, seed: int = 1, processes: int = 2, count: int | None = None) -> int:
    """A data folder with about so many events, of ``count`` people (default: one per EACH events); returns how many."""
    global _HELD
    folder = DataFolder(data)
    folder.create()
    settings = Settings(data=data)
    with open_store(settings.store_address, folder, END) as store:
        if PROJECT not in {project.name for project in store.projects()}:
            store.create_project(Project(PROJECT), END)
    lake = Lake(str(folder.lake))
    known = people(count or max(events // EACH, 10), seed)
    _HELD = (Path(lake.uri(PROJECT, "events")), known, sessions(known, events, seed), seed)
    if processes > 1:
        with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("fork")) as pool:
            made = list(pool.map(_work, months()))
    else:
        made = [_work(month) for month in months()]
    handle = lake._create(PROJECT, "events", EVENTS, "month")
    for month, files in zip(months(), made, strict=True):
        newest = int(min(_bounds(month)[1], END).timestamp() * 1000)
        added = [AddAction(one.path, one.size, {"month": month}, newest, True, one.stats) for one in files]
        handle.create_write_transaction([*added], "append", handle.schema(), ["month"])
        handle.update_incremental()
    tidy(lake, PROJECT, END, rules=Rules())  # finds nothing to write, and gives the table its properties
    return sum(json.loads(one.stats)["numRecords"] for files in made for one in files)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--people", type=int, help=f"default: one per {EACH} events")
    options = parser.parse_args()
    began = time.perf_counter()
    count = write(options.folder, options.events, options.seed, count=options.people)
    size = sum(path.stat().st_size for path in options.folder.rglob("*.parquet"))
    print(f"{count:,} events, {size / count:.0f} bytes each, in {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
