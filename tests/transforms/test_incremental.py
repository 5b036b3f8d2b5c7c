"""After any history, cut into builds anywhere, every table has the rows of a build from scratch.

JCURVE_TEST_HISTORIES: how many random histories (default 2), the first of them JCURVE_TEST_FIRST_HISTORY.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from funnels.definitions.definition import Accounts, Definitions, Internal
from funnels.definitions.load import DEFAULTS, load
from funnels.models import stages
from ingest.contest import Place
from ingest.copies import Displaced, month_number
from ingest.event import month_of
from ingest.exchange import exchange
from ingest.lake import Lake
from tests.transforms.world import Row, at, call, lake_of, table
from transforms import days
from transforms.build import BuildResult, build, check_tables
from transforms.core import core
from transforms.domains import LEFT_BY
from transforms.draft import Draft
from transforms.engine import Engine
from transforms.errors import NothingToUndo, UnknownLink
from transforms.forget import ids_of, take_out
from transforms.identity import View
from transforms.layout import Rules
from transforms.ledger import LEDGER
from transforms.manifest import current
from transforms.model import Model
from transforms.retention import expire
from transforms.tidy import tidy
from transforms.undo import Hand, redo, undo

HISTORIES = int(os.environ.get("JCURVE_TEST_HISTORIES", "2"))
FIRST = int(os.environ.get("JCURVE_TEST_FIRST_HISTORY", "0"))
DEFINITIONS = load(DEFAULTS)
END = at(days=200)
EVENTS = (
    "Signed Up",
    "Project Created",
    "Task Completed",
    "Subscription Started",
    "Invite Sent",
    "Invite Accepted",
    "Opened",
    LEFT_BY,
    LEFT_BY,
)
ZONES = ("UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Kathmandu")


@dataclass
class Settings:
    zone: str = "UTC"
    by_email: bool = False
    internal: bool = False
    left_by: str = LEFT_BY
    runaway: int = 3

    @property
    def definitions(self) -> Definitions:
        accounts = Accounts(("*",) if self.by_email else (), ("free.example",), left_by=self.left_by)
        internal = Internal(domains=("y.example",), ids=("user:1",)) if self.internal else Internal()
        return replace(DEFINITIONS, accounts=accounts, internal=internal)

    @property
    def models(self) -> tuple[Model, ...]:
        domains = self.definitions.accounts.domains("default")
        return (*core(View(self.runaway), domains, self.zone), *days.models(self.zone), *stages.models(self.definitions))


class World:
    """A lake to which things happen, and the settings it is built with."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.folder, self.lake = folder, Lake(str(folder / "lake"))
        self.settings = Settings()
        self.leaf_rows = self.random.choice([3, 10, 250_000])
        self.links: list[str] = []
        self.number = self.batch = self.day = 0

    def happen(self) -> None:
        deeds = [self.come] * 6 + [self.come_late] * 3 + [self.take_back] * 3 + [self.displace] * 2
        deeds += [self.grow_old, self.forget, self.tidy, self.set_anew]
        self.random.choice(deeds)()

    def come(self) -> None:
        """Some days' events."""
        since, self.day = self.day, self.day + self.random.randint(1, 12)
        self._add([self._call(at(days=self.random.uniform(since, self.day))) for _ in range(self.random.randint(1, 20))])

    def come_late(self) -> None:
        """Events of any age; also of before the first one, and close to others."""
        times = [at(days=self.random.uniform(-40, self.day), minutes=self.random.uniform(0, 90)) for _ in range(3)]
        self._add([self._call(self.random.choice(times)) for _ in range(self.random.randint(1, 4))])

    def displace(self) -> None:
        """Of some event the copy that came first, through another log: its time is corrected by another skew."""
        with Engine(self.lake, "default", {"events": self.lake.version("default", "events")}) as engine:
            rows = engine.table("from events order by event_id, time").to_pylist() if self.batch else []
        if not rows:
            return
        old = self.random.choice(rows)
        time = old["time"] + timedelta(seconds=self.random.choice([0, 0, -1, 2, 4_000, 90_000, -3_000_000]))
        received_at = old["received_at"] - timedelta(seconds=self.random.uniform(1, 200))
        self.number += 1
        self.batch += 1
        new = old | {"time": time, "received_at": received_at, "log": "log-0", "log_offset": self.number}
        new["month"] = month_of(time, received_at)
        when = int(old["received_at"].timestamp()) * 1_000_000
        gone = Displaced(old["event_id"], Place(when, old["log"], old["log_offset"], month_number(old["month"])))
        assert exchange(self.lake, "default", table([new]), [gone], writer="test", batch=self.batch)

    def take_back(self) -> None:
        if not self.links:
            return
        deed = self.random.choice([undo, undo, redo])
        with suppress(NothingToUndo, UnknownLink):
            deed(self.lake, "default", self.random.choice(self.links), Hand("me", "why", END))

    def grow_old(self) -> None:
        expire(self.lake, "default", at(days=self.random.uniform(-30, self.day / 2)))

    def forget(self) -> None:
        found = ids_of(self.lake, "default", f"user:{self.random.randint(1, 6)}")
        if found is not None:
            take_out(self.lake, "default", found, self.lake.tables("default"))

    def tidy(self) -> None:
        tidy(self.lake, "default", END, rules=Rules(gather=2, fan_in=2, quiet=timedelta(0)))

    def set_anew(self) -> None:
        choices = {
            "zone": ZONES,
            "by_email": (True, False),
            "internal": (True, False),
            "runaway": (1, 2, 3),
            "left_by": (LEFT_BY, "Opened"),
        }
        name = self.random.choice(list(choices))
        setattr(self.settings, name, self.random.choice(choices[name]))

    def build(self, lake: Lake | None = None, leaf_rows: int | None = None) -> BuildResult:
        return build(
            lake or self.lake,
            "default",
            self.settings.models,
            until=END,
            definition_version=self.settings.definitions.version,
            now=END,
            leaf_rows=leaf_rows or self.leaf_rows,
        )

    def from_scratch(self, name: str) -> tuple[Lake, BuildResult]:
        """The same events and ledger in a lake of their own, built once."""
        lake = Lake(str(self.folder / name))
        for source, partition in (("events", "month"), (LEDGER, None)):
            with Engine(self.lake, "default", {source: self.lake.version("default", source)}) as engine:
                rows = engine.table(f"from {source}")
            if rows.num_rows:
                lake.append("default", source, rows, writer="copy", batch=1, partition=partition)
        return lake, self.build(lake, leaf_rows=250_000)

    def _add(self, rows: list[Row]) -> None:
        self.batch += 1
        late = END + timedelta(minutes=self.batch)  # received: what a link is known at
        lake_of(self.folder, [row | {"received_at": late, "log_offset": self.number} for row in rows], self.batch)
        self.links += [str(row["event_id"]) for row in rows if row["kind"] in ("identify", "alias")]

    def _call(self, time: datetime) -> Row:
        self.number += 1
        choose = self.random.choice
        kind = choose(["track"] * 5 + ["page", "page", "identify", "identify", "alias", "group"])
        user = (
            str(self.random.randint(1, 6)) if kind in ("identify", "alias", "group") or self.random.random() < 0.5 else None
        )
        both = kind == "identify" or (kind == "track" and self.random.random() < 0.2)
        device = choose("abcdefgh") if user is None or both else None
        number = self.number
        columns: Row = {"source": choose(["web", "app"]), "bot": self.random.random() < 0.1}
        traits: dict[str, object] = {}
        if kind == "identify":
            traits = {"email": f"{user}@{choose(['x.example', 'y.example', 'free.example'])}", "plan": choose("abc")}
            if choose([True, False]):
                traits["$set_once"] = {"channel": choose("abc"), "plan": choose("abc")}
        elif kind == "alias":
            columns["previous_id"] = choose([str(self.random.randint(1, 6)), choose("abcdefgh")])
        elif kind == "group":
            columns["account_id"], traits = choose(["one", "two", "three"]), {"name": choose("xyz"), "parent": choose("pq")}
        elif kind == "page":
            more = {
                "page_url": "https://a.example/",
                "page_path": choose(["/", "/x"]),
                "page_referrer": "https://google.com/",
            }
            columns |= {name: value for name, value in more.items() if choose([True, False])}
            columns["utm_medium"] = choose([None, None, "cpc", "email"])
        else:
            traits = {
                "invite_id": f"i{self.random.randint(1, 5)}",
                "invitee_email": f"{self.random.randint(1, 6)}@x.example",
            }
            columns["account_id"] = choose([None, None, None, "one", "four"])
            columns["previous_id"] = device if user is not None else None  # such an event links its two ids
        event = choose(EVENTS) if kind == "track" else None
        if event == LEFT_BY:
            columns["account_id"] = choose([None, "one", "two", "three", "x.example"])
        return call(f"e{number:04d}", time, kind=kind, event=event, user=user, anonymous=device, traits=traits) | columns


def tables(lake: Lake, result: BuildResult) -> dict[str, pa.Table]:
    names = [name for name in result.manifest.tables if name not in ("events", LEDGER)]
    with Engine(lake, "default", {name: result.manifest.tables[name] for name in names}) as engine:
        found = {name: engine.table(f"from {name}") for name in names}
    return {name: rows.sort_by([(column, "ascending") for column in rows.column_names]) for name, rows in found.items()}


@pytest.mark.parametrize("seed", range(FIRST, FIRST + HISTORIES))
def test_whatever_happens_between_builds_they_end_where_a_build_from_scratch_does(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transforms.engine._LISTED", range(1, 6))  # ids are written out, and asked for, in few events, too
    monkeypatch.setattr("transforms.engine._AMONG", 3)
    monkeypatch.setattr("transforms.repair._MOST_KEPT", 3)
    monkeypatch.setattr("transforms.checks._FEW", 3)
    monkeypatch.setattr("transforms.spans._CLOSE", timedelta(days=3))
    world = World(tmp_path, seed)
    for cut in range(5):
        for _ in range(world.random.choice([1, 1, 2, 5])):
            world.happen()
        mended = tables(world.lake, world.build())
        assert check_tables(world.lake, "default")  # the nightly ones, too
        wanted = tables(*world.from_scratch(f"scratch-{cut}"))
        assert mended.keys() == wanted.keys()
        for name in wanted:
            assert mended[name].equals(wanted[name]), (seed, cut, name)
        again = world.build()
        assert not again.changed


def test_a_leaving_that_comes_late_or_goes_again_mends_all_that_leans_on_the_membership(tmp_path: Path) -> None:
    world = World(tmp_path, 0)
    joined = [call(f"g{user}", at(1), kind="group", user=user, account_id="one") for user in "12"]
    done = [call(f"d{user}{day}", at(day), event="Task Completed", user=user) for user in "12" for day in (2, 6, 9)]
    world._add([*joined, *done])
    first = tables(world.lake, world.build())
    for number, named in enumerate((None, "one", "two")):
        world._add([call(f"left {number}", at(5), event=LEFT_BY, user="1", account_id=named)])
        mended = tables(world.lake, world.build())
        assert same(mended, tables(*world.from_scratch(f"scratch-{number}")))
        assert mended["memberships"]["until"].null_count == (2 if named == "two" else 1)
        world.lake.delete("default", "events", f"event_id = 'left {number}'")
        assert same(tables(world.lake, world.build()), first)


class Killed(BaseException):
    """What a build dies of."""


def test_a_build_that_dies_at_any_commit_leaves_the_last_tables_and_the_next_makes_it_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, 1)
    for _ in range(4):
        world.come()
    first = world.build()
    before = tables(world.lake, first)
    world.come_late()
    world.come()
    last = commits = 0

    def count(draft: Draft, commit: Callable[[Draft], int | None] = Draft.commit) -> int | None:
        nonlocal commits
        commits += 1
        if commits == last:
            raise Killed
        return commit(draft)

    monkeypatch.setattr(Draft, "commit", count)
    for nth in (1, 2, 5, 8, 12):
        last, commits = nth, 0
        with pytest.raises(Killed):
            world.build()
        assert current(world.lake, "default") == first.manifest
        assert same(tables(world.lake, first), before)
    last = 0
    assert same(tables(world.lake, world.build()), tables(*world.from_scratch("scratch")))


def test_a_reader_of_the_last_manifest_sees_one_build_while_the_next_one_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, 2)
    for _ in range(4):
        world.come()
    first = world.build()
    before = tables(world.lake, first)
    world.come_late()
    seen = 0

    def read(draft: Draft, commit: Callable[[Draft], int | None] = Draft.commit) -> int | None:
        nonlocal seen
        version = commit(draft)
        manifest = current(world.lake, "default")
        assert manifest == first.manifest and same(tables(world.lake, replace(first, manifest=manifest)), before)
        seen += 1
        return version

    monkeypatch.setattr(Draft, "commit", read)
    after = world.build()
    assert seen == len(before)
    assert not same(tables(world.lake, after), before)


def same(one: dict[str, pa.Table], other: dict[str, pa.Table]) -> bool:
    return one.keys() == other.keys() and all(one[name].equals(other[name]) for name in one)
