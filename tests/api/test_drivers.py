"""Drivers through the API: planted ones among noise, by events that came through the log."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from tests.api.world import World, track

BODY = {
    "steps": [{"event": "Signed Up"}, {"event": "Subscription Started"}],
    "from": "2026-01-01",
    "to": "2026-02-01",
    "window": "14d",
}


def calls() -> list[dict[str, Any]]:
    """Four hundred people of January: professionals pay more often, and so does who invites on the first day."""
    random, found = Random("drivers"), []
    for number in range(400):
        user, day = str(number), 1 + number % 10
        plan, invites = random.choice(["free", "pro"]), random.random() < 0.4
        noise = {f"noise{n}": random.choice("abc") for n in range(10)}
        found.append(track("Signed Up", user, f"2026-01-{day:02d}T08:00:00Z", plan=plan, **noise))
        if invites:
            found.append(track("Invite Sent", user, f"2026-01-{day:02d}T1{random.randrange(10)}:00:00Z"))
        if random.random() < 0.1 + 0.35 * (plan == "pro") + 0.35 * invites:
            found.append(track("Subscription Started", user, f"2026-01-{day + 3:02d}T08:00:00Z"))
    return found


def test_planted_drivers_are_confirmed_and_noise_is_not(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(*calls())
    with world.client() as client:
        answer = client.post("/api/funnel/drivers", json={**BODY, "drivers": {"period": "1d"}}).json()
        wrong = client.post("/api/funnel/drivers", json={**BODY, "drivers": {"to": 1}})
        table = client.post("/api/funnel/drivers?format=csv", json=BODY).text.splitlines()
        broken = client.post("/api/funnel/drivers", content=b"{")
    confirmed = [row["event"] or f"{row['property']} {row['value']}" for row in answer["items"] if row["confirmed"]]
    assert sorted(confirmed) == ["Invite Sent", "properties.plan free", "properties.plan pro"]
    assert (answer["entrants"], answer["definition"]["drivers"]) == (400, {"from": 1, "to": 2, "period": "1d", "limit": 50})
    assert table[0].startswith("kind,property,op,value,event,confirmed,significant,p_corrected,found_with_entrants,")
    assert len(table) == 1 + answer["candidates"]
    assert {"found", "held_out", "p_corrected"} < set(answer["items"][0])
    assert (wrong.status_code, [error["path"] for error in wrong.json()["errors"]]) == (422, ["drivers.to"])
    assert broken.status_code == 422


def test_drivers_need_a_read_key(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    with world.client("jw_wrong") as client:
        assert client.post("/api/funnel/drivers", json=BODY).status_code == 401


def test_before_any_event_there_are_none(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    with world.client() as client:
        answer = client.post("/api/funnel/drivers", json=BODY).json()
    assert (answer["entrants"], answer["items"], answer["conversion"]) == (0, [], None)
