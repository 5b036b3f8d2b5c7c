"""Drivers: what was planted is found and confirmed, chance is not, and time alone is no driver."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import cast

import pytest

from funnels.adhoc import Source
from funnels.driver_question import parse_drivers
from funnels.drivers import Candidate, drivers, rows_of
from funnels.errors import BadRequest
from funnels.stats import Table
from funnels.steps import Json
from tests.funnels.world import LATER, did, joined
from tests.transforms.world import Row, at, call, lake_of

HOUR = timedelta(hours=1)
BODY = {
    "steps": [{"event": "Signed Up"}, {"event": "Paid"}],
    "from": "2026-03-01",
    "to": "2026-04-01",
    "window": "14d",
    "drivers": {"period": "1d", "limit": 500},
}


def ask(folder: Path, rows: list[Row], **changes: object) -> Json:
    lake = lake_of(folder, rows)
    source = Source(lake, "default", lake.version("default", "events"), LATER, None)
    return drivers(source, parse_drivers({**BODY, **changes}))


def listed(found: Json) -> dict[str, Json]:
    """The drivers by what they are: ``"properties.plan = pro"``, ``"person.role"`` (is set), ``"Invite Sent"``."""
    rows = cast(list[Json], found["items"])
    return {_name(row): row for row in rows}


def _name(row: Json) -> str:
    if row["kind"] == "event":
        return str(row["event"])
    return str(row["property"]) + (f" = {row['value']}" if row["op"] == "eq" else "")


def signed_up(user: str, random: Random, **properties: object) -> Row:
    entry = at(random.uniform(0, 20))
    return did(user, "Signed Up", entry, properties=json.dumps(properties), device=random.choice(["phone", "desk"]))


def planted(count: int, random: Random) -> list[Row]:
    """Professionals pay more often, and so does who invites on the first day; all else means nothing."""
    rows: list[Row] = []
    for number in range(count):
        user, plan, invites = f"u{number}", random.choice(["free", "pro"]), random.random() < 0.3
        noise = {f"noise{n}": random.choice(["a", "b", "c"]) for n in range(20)}
        rows.append(signed_up(user, random, plan=plan, seat=number, **noise))
        entry = cast(datetime, rows[-1]["time"])
        if invites:
            rows.append(did(user, "Invite Sent", entry + random.uniform(0, 23) * HOUR))
        if random.random() < 0.5:
            rows.append(did(user, "Pricing Viewed", entry + random.uniform(0, 23) * HOUR))
        if random.random() < 0.1 + 0.3 * (plan == "pro") + 0.35 * invites:
            rows.append(did(user, "Paid", entry + random.uniform(25, 300) * HOUR))
    return rows


def test_planted_drivers_are_found_and_confirmed_and_noise_is_not(tmp_path: Path) -> None:
    found = ask(tmp_path, planted(1200, Random("planted")))
    rows = listed(found)
    assert found["entrants"] == 1200
    assert {name for name, row in rows.items() if row["confirmed"]} == {
        "properties.plan = pro",
        "properties.plan = free",
        "Invite Sent",
    }
    assert list(rows)[:3] == sorted(list(rows)[:3], key=lambda name: float(str(rows[name]["p_corrected"])))
    pro, invited = (cast(Json, rows[name]["found"]) for name in ("properties.plan = pro", "Invite Sent"))
    assert cast(float, pro["lift"]) > 1.5 and cast(float, invited["odds_ratio"]) > 2
    assert "Pricing Viewed" in rows and "properties.noise7 = a" in rows and "device = desk" in rows
    assert "properties.seat = 7" not in rows  # one unit each
    assert not {"Signed Up", "Paid"} & set(rows)  # the way itself


def test_both_halves_add_up_to_all(tmp_path: Path) -> None:
    found = ask(tmp_path, planted(400, Random("halves")))
    row = listed(found)["properties.plan = pro"]
    parts = [cast(Json, cast(Json, row[half])[side]) for half in ("found", "held_out") for side in ("with", "without")]
    assert sum(cast(int, part["entrants"]) for part in parts) == found["entrants"] == 400
    assert sum(cast(int, part["converted"]) for part in parts) == found["converted"]
    event = listed(found)["Pricing Viewed"]
    parts = [cast(Json, cast(Json, event[half])[side]) for half in ("found", "held_out") for side in ("with", "without")]
    assert sum(cast(int, part["entrants"]) for part in parts) == cast(Json, found["at_risk"])["entrants"]


def test_time_alone_is_no_driver(tmp_path: Path) -> None:
    """Everybody reads at one rate until they pay, and whoever reads in the first day pays no more often for it."""
    random, rows = Random("time"), list[Row]()
    for number in range(800):
        user = f"u{number}"
        rows.append(signed_up(user, random))
        entry = cast(datetime, rows[-1]["time"])
        pays = random.choice([random.uniform(0, 40), None])
        hour = random.expovariate(1 / 40)
        while hour < (pays or 300):
            rows.append(did(user, "Page Read", entry + hour * HOUR))
            hour += random.expovariate(1 / 40)
        if pays is not None:
            rows.append(did(user, "Paid", entry + pays * HOUR))
    found = ask(tmp_path, rows)
    row, risk = listed(found)["Page Read"], cast(Json, found["at_risk"])
    assert not row["significant"]
    assert 0.5 < cast(float, cast(Json, row["found"])["odds_ratio"]) < 2
    assert cast(int, risk["converted"]) < cast(int, found["converted"])  # who paid in the first day is not compared
    ever = {str(one["user_id"]) for one in rows if one["event"] == "Page Read"}
    paid = {str(one["user_id"]) for one in rows if one["event"] == "Paid"}
    naive = Table(len(paid & ever), len(ever), len(paid - ever), 800 - len(ever))
    assert cast(float, naive.p_value()) < 1e-9  # as it looks without a landmark


def test_traits_count_as_they_were_at_the_step(tmp_path: Path) -> None:
    """Admins pay more often; what is said after paying, as that one pays, is no driver."""
    random, rows = Random("traits"), list[Row]()
    for number in range(300):
        user, role = f"u{number}", random.choice(["admin", "guest"])
        rows.append(call(f"i{number}", at(-2), kind="identify", user=user, traits={"role": "guest", "old": None}))
        rows.append(call(f"j{number}", at(-1), kind="identify", user=user, traits={"role": role, "a.b": 1, "list": [1]}))
        rows.append(joined(user, f"acme {number % 2}", at(-1)) | {"properties": json.dumps({"tier": number % 2})})
        rows.append(did(user, "Signed Up", at(1)))
        if random.random() < (0.7 if role == "admin" else 0.2):
            rows.append(did(user, "Paid", at(3)))
            rows.append(call(f"k{number}", at(3), kind="identify", user=user, traits={"status": "paying"}))
    rows_by_name = listed(ask(tmp_path, rows))
    assert rows_by_name["person.role = admin"]["confirmed"]
    assert "account.tier = 1" in rows_by_name
    assert [name for name in rows_by_name if "status" in name or "list" in name or "a.b" in name or "old" in name] == []


def test_accounts_are_compared_by_what_their_members_did(tmp_path: Path) -> None:
    random, rows = Random("accounts"), list[Row]()
    for number in range(300):
        admin, guest, account = f"a{number}", f"g{number}", f"acme {number}"
        rows += [joined(admin, account, at(0)), joined(guest, account, at(0)), did(admin, "Signed Up", at(1))]
        invites = random.random() < 0.5
        if invites:
            rows.append(did(guest, "Invite Sent", at(1.5)))
        if random.random() < (0.7 if invites else 0.2):
            rows.append(did(guest, "Paid", at(4)))
    found = ask(tmp_path, rows, unit="account")
    assert found["entrants"] == 300
    assert listed(found)["Invite Sent"]["confirmed"]


def test_only_whose_window_is_over_is_compared(tmp_path: Path) -> None:
    rows = [did(f"u{number}", "Signed Up", at(number % 20)) for number in range(200)]
    found = ask(tmp_path, rows, as_of=at(20).isoformat())
    assert found["entrants"] == 60  # of days 0 to 5; day 6 ends with as_of
    found = ask(tmp_path / "early", rows, as_of=at(1).isoformat())
    assert (found["entrants"], found["conversion"], found["items"]) == (0, None, [])
    assert found["warnings"] == ["0 units whose window is over reached step 1: too few to tell drivers by"]


def test_between_later_steps_the_later_steps_event_tells(tmp_path: Path) -> None:
    random, rows = Random("later"), list[Row]()
    for number in range(300):
        user, kind = f"u{number}", random.choice(["big", "small"])
        rows += [did(user, "Signed Up", at(1)), did(user, "Tried", at(2), properties=json.dumps({"kind": kind}))]
        if random.random() < (0.7 if kind == "big" else 0.2):
            rows.append(did(user, "Paid", at(5)))
    steps = [{"event": "Signed Up"}, {"event": "Tried"}, {"event": "Paid"}]
    found = ask(tmp_path, rows, steps=steps, drivers={"from": 2, "to": 3})
    assert listed(found)["properties.kind = big"]["confirmed"]
    assert found["period_seconds"] == 3 * 86400  # a quarter of the conversions


@pytest.mark.parametrize("seed", range(3))
def test_of_pure_noise_hardly_anything_is_found_and_less_confirmed(seed: int) -> None:
    """At most one family of candidates in twenty has a false discovery; of those found, one in forty is confirmed."""
    random, families, findings, confirmed = Random(f"noise {seed}"), 200, 0, 0
    for _ in range(families):
        rows = rows_of([Candidate({"kind": "event"}, noise(random), noise(random)) for _ in range(40)])
        findings += any(row["significant"] for row in rows)
        confirmed += any(row["confirmed"] for row in rows)
    assert findings <= 20  # 10 are expected: beyond 20 lies less than 0.1 %
    assert confirmed <= 2


def noise(random: Random) -> Table:
    wholes = [random.randint(30, 300) for _ in range(2)]
    parts = [sum(random.random() < 0.3 for _ in range(whole)) for whole in wholes]
    return Table(parts[0], wholes[0], parts[1], wholes[1])


def test_a_driver_that_turns_round_on_the_other_half_is_not_confirmed() -> None:
    up, down = Table(80, 100, 20, 100), Table(20, 100, 80, 100)
    rows = rows_of([Candidate({"event": "same"}, up, up), Candidate({"event": "turned"}, up, down)])
    assert [(row["event"], row["significant"], row["confirmed"]) for row in rows] == [
        ("same", True, True),
        ("turned", True, False),
    ]


def test_the_longest_period_is_told_in_whole_seconds() -> None:
    with pytest.raises(BadRequest) as caught:
        parse_drivers({**BODY, "window": "5s", "drivers": {"period": "3s"}})
    assert caught.value.faults[0].allowed == ("more than nothing, at most 2s",)


def test_all_faults_of_a_question_are_told_at_once() -> None:
    with pytest.raises(BadRequest) as caught:
        parse_drivers(
            {**BODY, "count": "attempts", "unit": "session", "drivers": {"from": 2, "to": 1, "period": "8d", "x": 1}}
        )
    assert [(fault.path, fault.allowed) for fault in caught.value.faults] == [
        ("drivers.x", ("from", "to", "period", "limit")),
        ("drivers.to", ("3 or more",)),
        ("unit", ("person", "account")),
        ("count", ("units",)),
        ("drivers.period", ("more than nothing, at most 7d",)),
    ]
