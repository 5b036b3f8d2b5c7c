"""Invitations, whom they are credited for, and the viral coefficient."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, cast

import pyarrow as pa
import pytest

from funnels.definitions.load import DEFAULTS, load
from funnels.metrics import answer
from funnels.models.invites import generations
from funnels.virality import mean_interval
from tests.funnels.world import LATER, SECOND, built, did, joined, stored
from tests.transforms.world import Row, at, call

NOTHING: Final[Mapping[str, str]] = {}


def signed_up(user: str, day: float, email: str | None = None) -> list[Row]:
    rows = [did(user, "Signed Up", at(day))]
    if email:
        rows.append(call(f"{user} identified", at(day), kind="identify", user=user, traits={"email": email}))
    return rows


def invited(user: str, day: float, invite: str | None = None, **properties: str) -> Row:
    told = {"invite_id": invite, **properties} if invite else properties
    return did(user, "Invite Sent", at(day), f"{user} invites at {day} {invite}", properties=json.dumps(told))


def accepted(user: str, day: float, invite: str) -> Row:
    return did(user, "Invite Accepted", at(day), f"{user} accepts {invite}", properties=json.dumps({"invite_id": invite}))


def invites(folder: Path, rows: list[Row]) -> list[tuple[object, ...]]:
    lake, manifest = built(folder, rows)
    columns = ("invite_id", "inviter", "invitee", "accepted_at", "scope")
    found = stored(lake, manifest, "invites").select(list(columns)).to_pylist()
    return sorted((tuple(row.values()) for row in found), key=str)


def k(folder: Path, rows: list[Row], until: datetime = LATER, params: Mapping[str, str] = NOTHING) -> dict[str, object]:
    lake, manifest = built(folder, rows, until=until)
    return answer(lake, "default", load(DEFAULTS), "viral-coefficient", params, manifest, "UTC")


def numbers(found: Mapping[str, object]) -> tuple[object, ...]:
    return found["value"], found["numerator"], found["denominator"], found["reason"]


def test_an_invitation_nobody_took_has_no_invitee(tmp_path: Path) -> None:
    assert invites(tmp_path, [invited("a", 1, "i1")]) == [("i1", "user:a", None, None, None)]


def test_an_accepted_invitation_is_credited_for_the_person_who_registered_after_it(tmp_path: Path) -> None:
    rows = [*signed_up("a", 0), invited("a", 1, "i1"), *signed_up("b", 2), accepted("b", 2, "i1")]
    assert invites(tmp_path, rows) == [("i1", "user:a", "user:b", at(2), "new_account")]


def test_without_an_id_the_address_links_invitation_and_person(tmp_path: Path) -> None:
    rows = [*signed_up("a", 0), invited("a", 1, invitee_email=" B@x.io "), *signed_up("b", 2, "b@X.io")]
    assert invites(tmp_path, rows) == [("a invites at 1 None", "user:a", "user:b", None, "new_account")]


def test_neither_oneself_nor_somebody_already_there_is_a_new_person(tmp_path: Path) -> None:
    rows = [*signed_up("a", 1), invited("a", 0, "self"), accepted("a", 1, "self")]
    rows += [*signed_up("b", 2), invited("a", 3, "known"), accepted("b", 4, "known")]
    rows += [invited("a", 5, "by address", invitee_email="c@x.io"), *signed_up("c", 4, "c@x.io")]
    assert invites(tmp_path, rows) == [
        ("by address", "user:a", None, None, None),
        ("known", "user:a", "user:b", at(4), None),
        ("self", "user:a", "user:a", at(1), None),
    ]


def test_of_several_inviters_the_first_accepted_is_credited(tmp_path: Path) -> None:
    rows = [row for user in ("a", "b", "c") for row in signed_up(user, 0)]
    rows += [invited("a", 1, "by a"), invited("b", 2, "by b"), invited("c", 1, invitee_email="d@x.io")]
    rows += [*signed_up("d", 3, "d@x.io"), accepted("d", 4, "by b"), accepted("d", 5, "by a")]
    scopes = {row[0]: row[4] for row in invites(tmp_path, rows)}
    assert scopes == {"by a": None, "by b": "new_account", "c invites at 1 None": None}


def test_one_invitation_may_bring_several_people_and_sending_it_again_changes_nothing(tmp_path: Path) -> None:
    rows = [*signed_up("a", 0), invited("a", 1, "link"), invited("a", 2, "link")]
    rows += [*signed_up("b", 3), accepted("b", 3, "link"), *signed_up("c", 4), accepted("c", 4, "link")]
    assert [(row[0], row[2], row[4]) for row in invites(tmp_path, rows)] == [
        ("link", "user:b", "new_account"),
        ("link", "user:c", "new_account"),
    ]


def test_joining_the_inviters_account_is_told_from_opening_a_new_one(tmp_path: Path) -> None:
    rows = [*signed_up("a", 0), joined("a", "acme", at(0)), invited("a", 1, "in"), invited("a", 1, "out")]
    rows += [*signed_up("b", 2), accepted("b", 2, "in"), joined("b", "acme", at(2))]
    rows += [*signed_up("c", 3), accepted("c", 3, "out"), joined("c", "other", at(3)), joined("c", "acme", at(4))]
    assert [(row[0], row[4]) for row in invites(tmp_path, rows)] == [("in", "same_account"), ("out", "new_account")]


def generations_of(folder: Path, rows: list[Row]) -> dict[object, object]:
    lake, manifest = built(folder, rows)
    found = stored(lake, manifest, "invites").to_pylist()
    return {row["invitee"] or row["invite_id"]: row["generation"] for row in found}


def came(inviter: str, invitee: str, sent: float, day: float) -> list[Row]:
    invite = f"{inviter} to {invitee}"
    return [invited(inviter, sent, invite), *signed_up(invitee, day), accepted(invitee, day, invite)]


def test_a_credited_invitee_is_one_generation_after_the_inviter(tmp_path: Path) -> None:
    rows = [*signed_up("a", 0), *came("a", "b", 1, 2), *came("b", "c", 3, 4), *came("b", "d", 3, 5), *came("d", "e", 6, 7)]
    rows += [*signed_up("known", 0), invited("e", 8, "k"), accepted("known", 9, "k"), invited("e", 8, "open")]
    assert generations_of(tmp_path, rows) == {
        "user:b": 1,
        "user:c": 2,
        "user:d": 2,
        "user:e": 3,
        "user:known": 0,  # was there before: came by nobody
        "open": None,  # nobody came yet
    }


def test_an_inviter_who_came_later_begins_the_chain_anew(tmp_path: Path) -> None:
    """They invited each other before either registered: b came first, so b's chain begins, and a came by b."""
    rows = [invited("a", 0, "to b"), invited("b", 1, "to a")]
    rows += [*signed_up("b", 5), accepted("b", 5, "to b"), *signed_up("a", 6), accepted("a", 6, "to a")]
    assert generations_of(tmp_path, rows) == {"user:b": 1, "user:a": 2}


def test_two_who_came_at_one_instant_are_in_the_order_of_their_ids(tmp_path: Path) -> None:
    rows = [invited("a", 0, "to b"), invited("b", 0, "to a")]
    rows += [*signed_up("b", 5), accepted("b", 5, "to b"), *signed_up("a", 5), accepted("a", 5, "to a")]
    assert generations_of(tmp_path, rows) == {"user:a": 1, "user:b": 2}


def test_long_chains_and_random_trees_agree_with_walking_them_one_by_one() -> None:
    seeded = random.Random(7)
    parents: dict[str, str | None] = {f"c{n}": f"c{n - 1}" if n else None for n in range(5_000)}
    parents |= {f"t{n}": f"t{seeded.randrange(-5, n)}" for n in range(3_000)}
    names = seeded.sample(list(parents), len(parents))
    found = generations(pa.chunked_array([names]), pa.chunked_array([[parents[name] for name in names]], pa.string()))
    walked: dict[str | None, int] = {}
    for name in parents:  # parents before their children
        walked[name] = walked.get(parents[name], 0) + 1
    assert dict(zip(found["person"].to_pylist(), found["generation"].to_pylist(), strict=True)) == walked
    assert generations(pa.chunked_array([[]], pa.string()), pa.chunked_array([[]], pa.string())).num_rows == 0


def test_k_is_the_mean_of_the_people_brought_by_those_old_enough(tmp_path: Path) -> None:
    rows = [row for number, user in enumerate("abcd") for row in signed_up(user, number)] + signed_up("young", 20)
    for inviter, invitee, day in (("b", "b1", 7), ("c", "c1", 12), ("c", "c2", 14), ("c", "c3", 32)):
        rows += [invited(inviter, 4, invitee), *signed_up(invitee, day), accepted(invitee, day + 1, invitee)]
    found = k(tmp_path, rows, until=at(40), params={"from": "2026-03-02", "to": "2026-03-06"})  # offspring 0, 1, 3, 0
    assert numbers(found) == (1.0, 4, 4, None)
    assert found["settings"] == {"horizon_days": 30.0, "stage": "registered"}


def test_k_splits_into_new_accounts_and_the_inviters_and_tells_the_cycle_time(tmp_path: Path) -> None:
    rows = [*signed_up("a", 0), joined("a", "acme", at(0))]
    for invitee, day, account in (("b", 2, "acme"), ("c", 6, "c's"), ("d", 3, "d's")):
        rows += [invited("a", 1, invitee), *signed_up(invitee, day), accepted(invitee, day, invitee)]
        rows += [joined(invitee, account, at(day))]
    found = k(tmp_path, rows, params={"to": "2026-03-03"})
    assert found["parts"] == {"k_out": 2.0, "k_in": 1.0, "cycle_days_median": 3.0}
    assert numbers(found) == (3.0, 3, 1, None)
    assert found["interval"] is None  # one inviter has no variance


@pytest.mark.parametrize(("late", "brought"), [(False, 1), (True, 0)])
def test_the_horizon_counts_to_its_last_second_for_invitee_and_inviter(tmp_path: Path, late: bool, brought: int) -> None:
    moment = at(30) + (SECOND if late else 0 * SECOND)
    rows = [*signed_up("a", 0), invited("a", 1, "i"), did("b", "Signed Up", moment), accepted("b", 31, "i")]
    assert numbers(k(tmp_path, rows, until=at(30) + SECOND, params={"to": "2026-03-03"})) == (
        float(brought),
        brought,
        1,
        None,
    )


def test_who_is_too_young_is_left_out_and_only_they_make_k_immature(tmp_path: Path) -> None:
    rows = [*signed_up("a", 0), *signed_up("b", 5)]
    assert numbers(k(tmp_path, rows, until=at(30))) == (0.0, 0, 1, None)
    lake, manifest = built(tmp_path, [], until=at(30) - SECOND)
    found = answer(lake, "default", load(DEFAULTS), "viral-coefficient", {}, manifest, "UTC")
    assert numbers(found) == (None, 0, 0, "immature")


def test_k_of_nobody_is_null_because_there_is_no_base(tmp_path: Path) -> None:
    found = k(tmp_path, [], params={"compare": "previous", "by": "channel"})
    assert numbers(found) == (None, 0, 0, "no_base")
    assert found["parts"] == {"k_out": None, "k_in": None, "cycle_days_median": None}
    assert (found["series"], found["groups"], found["previous"]) == ([], [], {"value": None, "change": None})


def test_the_series_goes_by_the_inviters_registration_and_knows_what_is_complete(tmp_path: Path) -> None:
    rows = [*signed_up("a", 0), *signed_up("c", 15), invited("a", 1, "i"), *signed_up("b", 8), accepted("b", 8, "i")]
    found = k(tmp_path, rows, until=at(51), params={"from": "2026-03-02", "to": "2026-03-30"})
    series = cast(list[dict[str, object]], found["series"])
    assert [(point["start"], *numbers(point), point["complete"]) for point in series] == [
        ("2026-03-02", 1.0, 1, 1, None, True),
        ("2026-03-09", 0.0, 0, 1, None, True),
        ("2026-03-16", 0.0, 0, 1, None, True),
        ("2026-03-23", None, 0, 0, "no_base", False),
    ]


def test_a_registration_near_midnight_belongs_to_the_week_of_the_projects_zone(tmp_path: Path) -> None:
    lake, manifest = built(tmp_path, [did("a", "Signed Up", at(6, minutes=23 * 60 + 30))])
    for zone, start in (("UTC", "2026-03-02"), ("Asia/Shanghai", "2026-03-09")):
        found = answer(lake, "default", load(DEFAULTS), "viral-coefficient", {}, manifest, zone)
        assert cast(list[dict[str, object]], found["series"])[0]["start"] == start


def test_groups_by_channel_add_up_and_the_range_before_is_compared(tmp_path: Path) -> None:
    rows = [did(user, "Signed Up", at(day), utm_medium="cpc") for user, day in (("a", 7), ("b", 0))]
    rows += [*signed_up("c", 8), *signed_up("d", 30), *signed_up("e", 31)]
    rows += [invited("a", 9, "i"), accepted("d", 30, "i"), invited("b", 9, "j"), accepted("e", 31, "j")]
    params = {"from": "2026-03-09", "to": "2026-03-16", "by": "channel", "compare": "previous"}
    found = k(tmp_path, rows, params=params)
    groups = cast(list[dict[str, object]], found["groups"])
    assert [(group["values"], *numbers(group)) for group in groups] == [
        (["direct"], 0.0, 0, 1, None),
        (["paid search"], 1.0, 1, 1, None),
    ]
    assert numbers(found) == (0.5, 1, 2, None)
    assert found["previous"] == {"value": 0.0, "change": 0.5}  # e came 31 days after b


def test_the_interval_of_a_mean_of_counts_follows_its_variance() -> None:
    low, high = mean_interval(4, 10, 4) or (None, None)
    assert low == 0.0
    assert high == pytest.approx(1 + 1.959963984540054 * (2 / 4) ** 0.5)
    assert mean_interval(3, 9, 1) is None
    assert mean_interval(5, 5, 5) == (1.0, 1.0)
