"""Accounts from companies' e-mail domains, where a project turns them on; parent accounts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ingest.lake import Lake
from tests.transforms.world import Row, at, built, call, lake_of, rows_of
from transforms import overlay
from transforms.core import core
from transforms.domains import LEFT_BY, Domains

ON = Domains(on=True)


def known(user: str, days: float, email: object) -> Row:
    return call(f"{user} {days}", at(days), kind="identify", user=user, traits={"email": email})


def members(rows: Sequence[Row], domains: Domains = ON) -> list[tuple[object, ...]]:
    found = built(rows, models=core(domains=domains))["memberships"]
    return sorted(rows_of(found, "person", "account_id", "since", "linked_by", "ordinal"))


def test_a_company_s_address_makes_an_account_only_where_it_is_turned_on() -> None:
    rows = [known("1", 2, " Ada@ACME.example "), known("2", 1, "bob@acme.example"), known("1", 3, "ada@acme.example")]
    assert members(rows) == [("user:1", "acme.example", at(2), "1 2", 1), ("user:2", "acme.example", at(1), "2 1", 1)]
    assert members(rows, Domains()) == []
    accounts = built(rows, models=core(domains=ON))["accounts"]
    assert rows_of(accounts, "account_id", "members", "first_seen", "last_seen") == [("acme.example", 2, at(1), at(3))]


@pytest.mark.parametrize(
    "email",
    [
        *("a@gmail.com", "a@QQ.com", "a@163.com", "a@outlook.com", "a@web.de", "a@yahoo.co.uk"),
        *("", "a", "a@", "@acme.example", "a@acme", "a@b@acme.example", "a b@acme.example", "a@.example", 7, None, {"x": 1}),
    ],
)
def test_free_mail_and_what_is_no_address_form_no_account(email: object) -> None:
    assert members([known("1", 1, email)]) == []


def test_the_list_of_free_domains_can_be_corrected() -> None:
    rows = [known("1", 1, "a@web.de"), known("2", 1, "a@alumni.example")]
    domains = Domains(on=True, free=frozenset({"alumni.example"}), company=frozenset({"web.de"}))
    assert members(rows, domains) == [("user:1", "web.de", at(1), "1 1", 1)]


def test_a_group_call_speaks_before_the_address_whichever_comes_first() -> None:
    group = call("g", at(5), kind="group", user="1", account_id="workspace-7")
    assert members([known("1", 1, "a@acme.example"), group]) == [("user:1", "workspace-7", at(5), "g", 1)]


def test_an_address_joins_once_whoever_left_its_account_stays_out() -> None:
    left = call("left", at(2), event=LEFT_BY, user="1", account_id="acme.example")
    rows = [left, *(known("1", days, "a@acme.example") for days in (1, 3))]
    found = built(rows, models=core(domains=ON))["memberships"]
    assert rows_of(found, "account_id", "since", "until") == [("acme.example", at(1), at(2))]


def test_who_changes_companies_is_in_both_and_later_events_are_nobody_s() -> None:
    rows = [
        known("1", 1, "a@acme.example"),
        call("e2", at(2), user="1"),
        known("1", 3, "a@beta.example"),
        call("e4", at(4), user="1"),
    ]
    assert [row[1] for row in members(rows)] == ["acme.example", "beta.example"]
    accounts = built(rows, models=core(domains=ON))["accounts"]
    assert rows_of(accounts, "account_id", "first_seen", "last_seen") == [
        ("acme.example", at(1), at(2)),
        ("beta.example", at(3), at(3)),
    ]


def test_an_ad_hoc_question_sees_them_before_the_next_build(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, [known("1", 1, "a@acme.example")])
    assert overlay.identity(lake, "default", 1, None, domains=ON).made["memberships"].num_rows == 1
    assert overlay.identity(lake, "default", 1, None).made["memberships"].num_rows == 0
    assert overlay.identity(Lake(str(tmp_path)), "default", None, None, domains=ON).made["memberships"].num_rows == 0


def test_a_group_call_names_the_account_above() -> None:
    def group(event_id: str, account: str, **traits: object) -> Row:
        return call(event_id, at(1), kind="group", user="1", account_id=account, traits=traits)

    rows = [
        group("e1", "a", parent_id="top", parent="other"),
        group("e2", "b", parent="a"),
        group("e3", "c", parent="c"),
        group("e4", "d", parent=""),
        group("e5", "e", parent=7),
    ]
    assert rows_of(built(rows)["accounts"], "account_id", "parent") == [
        ("a", "top"),
        ("b", "a"),
        ("c", None),
        ("d", None),
        ("e", "7"),
    ]
