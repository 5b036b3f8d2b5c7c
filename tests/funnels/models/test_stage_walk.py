"""The stages of random histories, held to the plain walk: many small worlds in one build."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from funnels.definitions.definition import SUBJECTS
from tests.funnels.stage_walk import Did, Met, Spell, Walk, spells_in_an_account
from tests.funnels.world import built, definitions_of, did, joined, stored
from tests.transforms.world import Row, at
from transforms.domains import LEFT_BY

WORLDS: Final = 320
EVENTS: Final = ("Signed Up", "Signed In", "Project Created", "Task Completed")
STAGES: Final = """
[stages.registered]
account.members = 2
person.any = [{ event = "Signed Up" }]

[stages.begun.person]
after = "registered"
within = "3d"
all = [{ event = "Project Created" }, { event = "Task Completed", times = 2, window = "2d" }]
left_by = [{ event = "Signed In", times = 2, window = "1d" }]
[stages.begun.account]
members = 1

[stages.busy.person]
after = "begun"
any = [{ any_of = ["Signed In", "Task Completed"], times = 2, window = "1d" }, { event = "Project Created", times = 3 }]
[stages.busy.account]
after = "begun"
within = "4d"
all = [{ event = "Task Completed", people = 2, window = "1d" }, { event = "Signed In" }]

[stages.team.person]
all = [{ event = "Task Completed", people = 2, window = "2d" }, { event = "Signed In", people = 2 }]
[stages.team.account]
any = [{ event = "Task Completed", people = 3, window = "3d" }, { event = "Signed In", times = 3, window = "2d" }]
left_by = [{ event = "Signed Up" }, { event = "Project Created", times = 2 }]

[stages.paid.person]
any = [{ event = "Project Created" }]
left_by = [{ event = "Signed In" }, { any_of = ["Task Completed", "Project Created"], times = 3, window = "1d" }]
[stages.paid.account]
any = [{ event = "Project Created", times = 2, window = "2d" }]
left_by = [{ event = "Signed In" }]
"""
FUNNELS: Final = "[funnels.all]\nsteps = ['registered', 'begun', 'busy', 'team']\nwindow = '9d'\n"


Members = dict[tuple[str, str], list[Spell]]


def history(random: random.Random, world: int) -> tuple[list[Row], list[Did], Members]:
    """Events at a coarse grid of times, so that instants coincide and windows are met exactly."""
    people, accounts = [f"w{world}p{n}" for n in range(4)], [f"w{world}a{n}" for n in range(2)]
    members: Members = {}
    rows: list[Row] = []
    for person in people:
        calls: dict[str, list[Met]] = {}
        for account in random.sample(accounts, random.choice((0, 1, 1, 1, 2))):
            for number in range(random.choice((1, 1, 1, 2))):
                since, event_id = at(random.randrange(8)), f"{person} joined {account} {number}"
                calls.setdefault(account, []).append((since, event_id))
                rows.append(joined(person, account, since) | {"event_id": event_id})
        left: dict[str, list[datetime]] = {}
        for number in range(random.choice((0, 0, 0, 1, 2)) if calls else 0):
            time, named = at(random.randrange(9)), random.choice((None, *accounts))
            rows.append(did(person, LEFT_BY, time, f"{person} left {number}", account_id=named))
            known = [account for account, times in calls.items() if min(times)[0] < time]
            for account in [named] if named else known if len(known) == 1 else []:
                left.setdefault(account, []).append(time)
        for account, times in calls.items():
            members[f"user:{person}", account] = spells_in_an_account(times, left.get(account, []))
    seen = []
    for number in range(random.randrange(50)):
        person, event, time = random.choice(people), random.choice(EVENTS), at(random.randrange(9))
        named = random.choice((None, None, None, *accounts))
        event_id = f"w{world}e{number:02}"
        rows.append(did(person, event, time, event_id, account_id=named))
        seen.append(Did(time, event_id, event, f"user:{person}", named or sole(members, f"user:{person}", time)))
    return rows, seen, members


def sole(members: Members, person: str, time: datetime) -> str | None:
    """The only account a person is a member of at a time."""
    joined = [
        account
        for (member, account), spells in members.items()
        if member == person and any(spell.since[0] <= time < spell.until for spell in spells)
    ]
    return joined[0] if len(joined) == 1 else None


def test_stages_agree_with_a_plain_walk_over_random_histories(tmp_path: Path) -> None:
    seeded = random.Random(20260302)
    definitions = definitions_of(tmp_path, stages=STAGES, funnels=FUNNELS)
    worlds = [history(seeded, world) for world in range(WORLDS)]
    lake, manifest = built(tmp_path, [row for rows, _, _ in worlds for row in rows], definitions)
    found = {
        (row["subject"], row["subject_id"], row["stage"], row["spell"]): ((row["entered"], row["event_id"]), row["left"])
        for row in stored(lake, manifest, "stages").to_pylist()
    }
    expected = {key: met for _, seen, members in worlds for key, met in walked(Walk(definitions.stages, seen, members))}
    assert found == expected
    frequencies = Counter((subject, stage) for subject, _, stage, _ in found)
    assert all(frequencies[subject, stage] > 10 for subject in SUBJECTS for stage in definitions.stages)
    again = Counter((subject, stage) for subject, _, stage, spell in found if spell > 1)
    left = [("account", "team"), ("person", "paid"), ("account", "paid")]
    assert set(again) == set(left) and min(again.values()) > 2


def walked(walk: Walk) -> Iterator[tuple[tuple[str, str, str, int], tuple[Met, datetime | None]]]:
    people = {one.person for one in walk.events} | {person for person, _ in walk.members}
    accounts = {one.account for one in walk.events if one.account} | {account for _, account in walk.members}
    for subject in SUBJECTS:
        for who in people if subject == "person" else accounts:
            for stage in walk.stages:
                for spell, found in enumerate(walk.spells(subject, who, stage), start=1):
                    yield (subject, who, stage, spell), found
