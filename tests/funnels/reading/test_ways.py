"""Questions of every kind, read from the files and read by a query: one answer, for people, accounts and sessions."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from funnels.adhoc import Source, answer_of
from funnels.definitions.definition import Internal
from funnels.errors import BadRequest
from funnels.filters import Condition
from funnels.listing import page, parse_list
from funnels.presets import PRESETS
from funnels.reading import direct
from funnels.request import parse
from ingest.lake import Lake
from tests.funnels.world import did
from tests.transforms.world import Row, call, lake_of
from transforms.build import build
from transforms.core import core
from transforms.domains import LEFT_BY

DAY = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
END = DAY + 60 * HOUR
ASKED: Final = int(os.environ.get("JCURVE_TEST_WAYS", "10"))  # questions per seed


def on(name: str, op: str, value: Any = None) -> dict[str, Any]:
    return {"property": name, "op": op, **({} if value is None else {"value": value})}


OF_EVENTS: list[Any] = [
    on("browser", "eq", "b0"), on("browser", "ne", "b0"), on("properties.n", "gt", 2), on("properties.n", "in", [0, 4, "x"]),
    on("properties.n", "is_not_set"), {"any": [on("browser", "eq", "b1"), on("properties.n", "lte", 1)]},
    on("account_id", "is_set"), on("context.day", "gte", "2026-01-06"),
]  # fmt: skip
OF_SUBJECTS: list[Any] = [
    on("person_now.plan", "eq", "pro"), on("person_now.plan", "ne", "pro"), on("person_now.events", "gt", 4),
    on("account_now.seats", "gte", 2), on("account_now.seats", "is_not_set"), on("cohort:many", "eq", True),
    on("cohort:many", "ne", True), on("cohort:firms", "eq", True),
    {"any": [on("person_now.plan", "eq", "free"), {"all": [on("cohort:many", "eq", True), on("person_now.n", "is_set")]}]},
]  # fmt: skip
MIXED: list[Any] = [
    on("person.plan", "eq", "pro"), on("person.plan", "ne", "pro"), on("account.seats", "lt", 3),
    on("account.seats", "is_not_set"), {"any": [on("browser", "eq", "b0"), on("person_now.plan", "eq", "pro")]},
    {"any": [on("account_now.seats", "gt", 1), on("person.n", "eq", 1), on("cohort:firms", "eq", True)]},
]  # fmt: skip
TIMES: list[Any] = [on("received_at", "gte", "2026-01-06"), on("bot", "eq", True)]  # which only a query reads
BY: list[Any] = [
    ["person_now.plan"], ["account_now.seats"], ["cohort:many"], ["cohort:firms"], ["browser"], ["properties.n"],
    ["person.plan"], ["account.seats"], ["person.plan", "account_now.seats", "properties.n"],
    ["person_now.plan", "browser"], ["account_now.name", "person_now.plan"], ["cohort:many", "account_now.seats", "browser"],
]  # fmt: skip
COHORTS: Final = {
    "many": {"unit": "person", "did": {"event": "A", "at_least": 2}},
    "firms": {"unit": "account", "where": [on("account_now.seats", "gt", 2)]},
}
INSIDE: Final = (Condition("browser", "eq", "b1"), Condition("properties.n", "lt", 3))
NAMES: list[Any] = [{"event": "A"}, {"event": "B"}, {"any_of": ["B", "C"]}, {"any_of": ["A", "C"]}, {"event": "*"}]
BODY: dict[str, Any] = {"from": (DAY + 5 * HOUR).isoformat(), "to": (DAY + 40 * HOUR).isoformat(), "cohorts": COHORTS}


def world(random: Random) -> list[Row]:
    """People of several sources with traits, in and out of accounts; bots, strangers, many events at one instant."""
    rows: list[Row] = []
    for unit in range(50):
        user, span = f"u{unit:02}", random.choice([3, 9, 50])
        for number in range(random.choice([2, 4, 6, 9])):
            at = DAY + timedelta(minutes=random.choice([1, 15, 60]) * random.randrange(60) * span // 9)
            properties = {"n": random.choice([0, 1, 2, 3, 4, 4.0, "x", True, None])}
            columns = {
                "browser": random.choice(["b0", "b1", None]), "source": random.choice(["web", "web", "app"]),
                "bot": random.random() < 0.05, "account_id": random.choice([None, None, None, "a0", f"a{unit % 7}"]),
                "properties": json.dumps(properties if random.random() < 0.9 else {}),
                "context": json.dumps({"day": f"{at:%Y-%m-%d}"}),
            }  # fmt: skip
            event_id = f"{random.randrange(10**6):06}-{unit}-{number}"
            rows.append(did(user, random.choice("AABBCX"), at, event_id, **columns))
        if random.random() < 0.7:
            traits = {"plan": random.choice(["free", "pro", None]), "n": random.randrange(3)}
            rows.append(call(f"i{unit}", DAY, kind="identify", user=user, anonymous=f"d{unit}", traits=traits))
        if random.random() < 0.6:
            account, when = f"a{unit % 9}", DAY + random.randrange(20) * HOUR
            traits = {"seats": random.choice([1, 2, 3, None]), "name": account.upper()}
            rows.append(call(f"g{unit}", when, kind="group", user=user, account_id=account, traits=traits))
            if random.random() < 0.3:
                rows.append(did(user, LEFT_BY, when + random.randrange(20) * HOUR))
        rows.append(call(f"x{unit}", DAY + random.randrange(40) * HOUR, anonymous=f"e{unit}", event=random.choice("AB")))
    return rows


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Built, with merges, accounts and events since."""
    folder, random = tmp_path_factory.mktemp("ways"), Random("ways")
    rows = world(random)
    random.shuffle(rows)
    lake: Lake = lake_of(folder, rows[:-40])
    manifest = build(lake, "default", core(), until=END, definition_version="1", now=END).manifest
    merges = [
        call(f"m{unit}", DAY + HOUR, kind="identify", user=f"u{unit:02}", anonymous=f"e{unit}") for unit in range(0, 50, 5)
    ]
    lake_of(folder, [*rows[-40:], *merges, did("u01", "A", DAY + 6 * HOUR, account_id="new")], batch=9)
    return Source(lake, "default", lake.version("default", "events"), END, manifest)


def random_step(random: Random) -> dict[str, Any]:
    step: dict[str, Any] = {**random.choice(NAMES), "first_ever": random.random() < 0.15}
    if random.random() < 0.3:
        step["where"] = random.sample([*OF_EVENTS, *OF_SUBJECTS, *MIXED], random.choice([1, 1, 2]))
    elif random.random() < 0.1:
        step = {"any_of": [{"event": "A", "where": [random.choice([*OF_EVENTS, *OF_SUBJECTS, *MIXED])]}, {"event": "B"}]}
    return step


def random_body(random: Random) -> dict[str, Any]:
    count = random.choice([1, 2, 2, 3, 3])
    body = {**BODY, "steps": [random_step(random) for _ in range(count)], "window": random.choice(["1h", "9h", "30h"])}
    body["unit"] = random.choice(["person", "account", "session"])
    body["order"] = random.choice(["sequential", "sequential", "strict", "any"])
    body["count"] = random.choice(["units", "units", "attempts"])
    body["reentry"] = random.choice(["any", "any", "any", "first"])
    if random.random() < 0.3:
        body["where"] = random.sample([*OF_EVENTS, *OF_SUBJECTS, *MIXED, *random.sample(TIMES, 1)], random.choice([1, 2]))
    if random.random() < 0.25 and count > 1:
        body["exclude"] = [{"event": "X", **({} if body["order"] == "any" else {"after": 1, "before": count})}]
        if random.random() < 0.4:
            body["exclude"][0]["where"] = [random.choice([*OF_EVENTS, *OF_SUBJECTS])]
    if random.random() < 0.1:
        body["hold"] = [random.choice(["browser", "person_now.plan", "account_now.seats"])]
    if random.random() < 0.25:
        body["preset"] = random.choice(sorted(PRESETS))
        body |= {"count": "units", "reentry": "any", "hold": []}
    if random.random() < 0.6:
        touch = random.choice(["first", "last", "all", random.randint(1, count)])
        body["breakdown"] = {"by": random.choice(BY), "attribution": touch}
    return body


@pytest.mark.parametrize("seed", range(4))
def test_both_ways_answer_the_same(source: Source, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(f"both ways {seed}")
    if seed % 2:
        monkeypatch.setattr(direct, "_PART", 20)
    if seed == 2:
        source = replace(source, internal=Internal(where=INSIDE))
    if seed == 3:
        monkeypatch.setattr(direct, "in_bytes", lambda memory: 4 << 10)
        monkeypatch.setattr(direct.Reading, "whole", direct.Reading._at_once)
    asked, short = 0, 0
    while asked < ASKED:
        body = random_body(random)
        try:
            question = parse(body)
        except BadRequest:
            continue
        asked += 1
        with source.engine() as engine:
            short += direct.plan_of(source.asking(engine, question).query()) is not None
        mine = answer_of(source, question)
        with monkeypatch.context() as patched:
            patched.setattr(direct, "plan_of", lambda query: None)
            theirs = answer_of(source, question)
        assert mine == theirs, json.dumps(body)
    assert 2 * short >= ASKED


@pytest.mark.parametrize("unit", ["person", "account", "session"])
def test_a_list_names_the_same_units_both_ways(source: Source, unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [{"event": "A", "where": [on("person_now.plan", "ne", "pro")]}, {"event": "B"}]
    body = {**BODY, "steps": steps, "window": "9h", "unit": unit, "state": "reached", "step": 1, "limit": 1000}
    mine = page(source, parse_list(body)).items
    with monkeypatch.context() as patched:
        patched.setattr(direct, "plan_of", lambda query: None)
        assert mine == page(source, parse_list(body)).items
    assert mine


def test_accounts_are_known_before_there_is_a_build(tmp_path: Path) -> None:
    rows = [
        did("ann", "A", DAY + 6 * HOUR, account_id="acme"),
        did("bo", "B", DAY + 7 * HOUR, account_id="acme"),
        did("cy", "A", DAY + 7 * HOUR, account_id="beta"),
        did("dee", "A", DAY + 7 * HOUR),
    ]
    lake = lake_of(tmp_path, rows)
    source = Source(lake, "default", lake.version("default", "events"), END, None)
    steps = [{"event": "A"}, {"event": "B"}]
    found: Any = answer_of(source, parse({**BODY, "steps": steps, "window": "9h", "unit": "account"}))
    assert (found["entrants"], found["converted"], found["data"]["events_without_unit"]) == (2, 1, 1)
