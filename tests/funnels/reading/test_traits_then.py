"""Filters on traits as they were when the event happened, beside those of now; random histories against a plain walk."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from funnels.adhoc import funnel
from funnels.filters import parse_filters
from funnels.request import parse
from tests.funnels.filter_reference import Described, holds, traits_at
from tests.funnels.world import LATER, built, did
from tests.transforms.world import Row, call, lake_of
from transforms.domains import Domains

DAY = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
BODY = {"from": "2026-01-01", "to": "2026-03-01", "window": "14d"}


def told(event_id: str, time: datetime, user: str, **traits: object) -> Row:
    return call(event_id, time, kind="identify", user=user, traits=traits)


def described(event_id: str, time: datetime, account: str, **traits: object) -> Row:
    return call(event_id, time, kind="group", user="ann", account_id=account, traits=traits)


def count(folder: Path, rows: list[Row], prop: str, op: str, value: object = None, unit: str = "person") -> int:
    """How many did Opened under this filter."""
    where = [{"property": prop, "op": op, **({} if value is None else {"value": value})}]
    body = {**BODY, "steps": [{"event": "Opened"}], "where": where, "unit": unit}
    found = funnel(lake_of(folder, rows), "default", parse(body), complete_until=LATER, manifest=None)
    steps = found["steps"]
    assert isinstance(steps, list)
    return int(steps[0]["reached"])


def test_a_trait_is_the_one_of_the_event_s_time_and_now_is_that_of_the_build(tmp_path: Path) -> None:
    rows = [
        told("i1", DAY, "ann", plan="free", tags=["a", "b"]),
        did("ann", "Opened", DAY + HOUR),
        told("i2", DAY + 2 * HOUR, "ann", plan="team"),
    ]
    for prop, value, expected in [
        ("person.plan", "free", 1),
        ("person.plan", "team", 0),
        ("person.tags.1", "b", 1),
        ("person.other", "free", 0),
    ]:
        assert count(tmp_path / f"{prop}-{value}", rows, prop, "eq", value) == expected
    lake, manifest = built(tmp_path / "now", rows)
    for prop, value, reached in [("person_now.plan", "team", [1]), ("person_now.plan", "free", [0])]:
        body = {**BODY, "steps": [{"event": "Opened"}], "where": [{"property": prop, "op": "eq", "value": value}]}
        steps = funnel(lake, "default", parse(body), complete_until=LATER, manifest=manifest)["steps"]
        assert isinstance(steps, list)
        assert [step["reached"] for step in steps] == reached


def test_a_call_at_the_event_s_own_instant_holds_and_one_a_microsecond_later_does_not(tmp_path: Path) -> None:
    rows = [told("z", DAY, "ann", plan="b"), told("a", DAY, "ann", plan="a"), did("ann", "Opened", DAY)]
    assert count(tmp_path / "1", rows, "person.plan", "eq", "b") == 1  # of calls at one instant the greater id is the later
    late = [told("i", DAY + timedelta(microseconds=1), "ann", plan="b"), did("ann", "Opened", DAY)]
    assert count(tmp_path / "2", late, "person.plan", "is_set") == 0
    assert count(tmp_path / "3", late, "person.plan", "ne", "b") == 1


def test_a_call_without_the_key_leaves_it_and_a_null_takes_it_away(tmp_path: Path) -> None:
    rows = [told("i1", DAY, "ann", plan="a"), told("i2", DAY + HOUR, "ann", seats=2), did("ann", "Opened", DAY + 2 * HOUR)]
    assert count(tmp_path / "1", rows, "person.plan", "eq", "a") == 1
    rows.append(told("i3", DAY + HOUR, "ann", plan=None))
    assert count(tmp_path / "2", rows, "person.plan", "is_set") == 0


def test_a_merge_shares_the_traits_of_all_ids_and_midnight_does_not_matter(tmp_path: Path) -> None:
    end = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
    rows = [
        call("i1", end, kind="identify", anonymous="phone", traits={"plan": "free"}),
        did("ann", "Opened", end + timedelta(seconds=2)),
    ]
    assert count(tmp_path / "1", rows, "person.plan", "eq", "free") == 0
    rows.append(call("i2", end + HOUR, kind="identify", anonymous="phone", user="ann"))
    assert count(tmp_path / "2", rows, "person.plan", "eq", "free") == 1


def test_an_account_s_trait_is_that_of_the_event_s_account(tmp_path: Path) -> None:
    rows = [
        described("g1", DAY, "acme", seats=5),
        did("ann", "Opened", DAY + HOUR),
        described("g2", DAY + 2 * HOUR, "acme", seats=9),
        did("eve", "Opened", DAY + 3 * HOUR, account_id="acme"),
        did("bob", "Opened", DAY + 3 * HOUR),
    ]
    assert count(tmp_path / "1", rows, "account.seats", "lt", 6) == 1
    assert count(tmp_path / "2", rows, "account.seats", "gt", 6) == 1
    assert count(tmp_path / "3", rows, "account.seats", "is_not_set") == 1
    assert count(tmp_path / "4", rows, "account.seats", "gte", 5, unit="account") == 1


def test_accounts_of_e_mail_domains_are_the_event_s_where_they_are_turned_on(tmp_path: Path) -> None:
    rows = [told("i", DAY, "ann", email="ann@acme.example"), did("ann", "Opened", DAY + HOUR)]
    body = {**BODY, "steps": [{"event": "Opened"}], "unit": "account"}
    lake = lake_of(tmp_path, rows)
    for domains, expected in ((Domains(True), 1), (Domains(), 0)):
        found = funnel(lake, "default", parse(body), complete_until=LATER, manifest=None, domains=domains)["steps"]
        assert isinstance(found, list)
        assert found[0]["reached"] == expected


KEYS = ("plan", "seats", "a/b", "q'\"")
VALUES: tuple[object, ...] = ("free", "team", 3, 7, True, None, ["x"], {"x": 1})
OPERATORS = (
    ("eq", "free"),
    ("ne", "team"),
    ("gt", 4),
    ("is_set", None),
    ("is_not_set", None),
    ("contains", "x"),
    ("eq", True),
)


def test_random_histories_agree_with_a_plain_walk(tmp_path: Path) -> None:
    random = Random(11)
    rows: list[Row] = []
    calls: dict[str, list[Described]] = {"person": [], "account": []}
    opened: list[tuple[str, str | None, datetime]] = []
    for number in range(900):
        user, account = f"u{random.randrange(60)}", f"a{random.randrange(9)}"
        time = DAY + HOUR * random.randrange(24 * 45)  # over two month borders
        event_id = f"e{random.randrange(10**9):09}-{number}"
        traits = {key: random.choice(VALUES) for key in random.sample(KEYS, random.randrange(4))}
        kind = random.choice(("identify", "group", "track"))
        if kind == "track":
            own = random.choice((None, account))
            rows.append(did(user, "Opened", time, event_id, account_id=own))
            opened.append((user, own, time))
            continue
        rows.append(
            call(event_id, time, kind=kind, user=user, traits=traits, account_id=account if kind == "group" else None)
        )
        root, subject = ("person", user) if kind == "identify" else ("account", account)
        calls[root].append(Described(subject, time, event_id, traits))
    members: dict[str, list[tuple[datetime, str]]] = {}
    for row in rows:
        if row["kind"] == "group":
            members.setdefault(str(row["user_id"]), []).append((row["time"], str(row["account_id"])))  # type: ignore[arg-type]
    lake = lake_of(tmp_path, rows)
    hits = 0
    for number in range(24):
        root, key = ("person", "account")[number % 2], random.choice(KEYS)
        op, value = random.choice(OPERATORS)
        where = [{"property": f"{root}.{key}", "op": op, **({} if value is None else {"value": value})}]
        if number % 3 == 0:
            where.append({"property": "person.plan", "op": "is_set"})
        filters, faults = parse_filters(where)
        assert not faults
        body = {**BODY, "steps": [{"event": "Opened"}], "where": where}
        found = funnel(lake, "default", parse(body), complete_until=LATER, manifest=None)["steps"]
        assert isinstance(found, list)
        expected = set()
        for user, own, time in opened:
            joined = {account for since, account in members.get(user, []) if since <= time}
            whose = own or (next(iter(joined)) if len(joined) == 1 else None)
            event = {
                "person": traits_at(calls["person"], user, time),
                "account": traits_at(calls["account"], whose, time),
            }
            if all(holds(item, event) for item in filters):
                expected.add(user)
        assert found[0]["reached"] == len(expected), json.dumps(where)
        hits += len(expected)
    assert hits > 100
