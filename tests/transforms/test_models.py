"""The rows of memberships, people and accounts, for small worlds."""

import json

import pytest

from sql.loader import load
from tests.transforms.world import Row, at, built, call, rows_of
from transforms.core import core
from transforms.domains import LEFT_BY, Domains
from transforms.tables import TABLES


def group(event_id: str, minutes: float, user: str, account: str, **traits: object) -> Row:
    return call(event_id, at(minutes=minutes), kind="group", user=user, account_id=account, traits=traits)


def channel(*rows: Row) -> object:
    """The channel of the only person there is."""
    (found,) = rows_of(built(rows)["people"], "channel")
    return found[0]


def visit(event_id: str = "e1", minutes: float = 0, **columns: object) -> Row:
    columns = {"page_url": "https://www.jcurve.app/pricing", **columns}
    return call(event_id, at(minutes=minutes), kind="page", user="1", **columns)  # type: ignore[arg-type]


def test_no_events_make_empty_tables() -> None:
    assert {name: rows.num_rows for name, rows in built([]).items()} == dict.fromkeys(
        [
            "links",
            "runaway_ids",
            "link_states",
            "seen_ids",
            "id_roots",
            "actors",
            "memberships",
            "sole_memberships",
            "traits",
            "session_spans",
            "session_calls",
            "sessions",
            "first_touches",
            "people",
            "account_people",
            "activity",
            "accounts",
        ],
        0,
    )


def test_memberships_are_numbered_in_the_order_of_event_time() -> None:
    found = built(
        [group("e3", 30, "1", "b"), group("e1", 10, "1", "a"), group("e2", 20, "1", "a"), group("e4", 40, "2", "a")]
    )
    assert sorted(rows_of(found["memberships"], "person", "account_id", "since", "linked_by", "ordinal", "until")) == [
        ("user:1", "a", at(minutes=10), "e1", 1, None),
        ("user:1", "b", at(minutes=30), "e3", 2, None),
        ("user:2", "a", at(minutes=40), "e4", 1, None),
    ]
    assert sorted(rows_of(found["sole_memberships"], "person", "account_id", "since", "until")) == [
        ("user:1", "a", at(minutes=10), at(minutes=30)),
        ("user:2", "a", at(minutes=40), None),
    ]


def left(event_id: str, minute: float, account: str | None = None) -> Row:
    return call(event_id, at(minutes=minute), event=LEFT_BY, user="1", account_id=account)


def test_a_person_leaves_an_account_and_joins_it_again_by_a_group_call() -> None:
    found = built(
        [
            left("e0", 5, "a"),  # before any membership
            *(group("e1", 10, "1", "a"), group("e2", 20, "1", "a"), left("e3", 30, "a"), left("e4", 40, "a")),
            *(group("e5", 50, "1", "b"), group("e6", 60, "1", "a"), left("e7", 70), left("e8", 80, "b")),
            *(group("e9", 90, "2", "a"), left("e91", 90, "a"), group("e92", 90, "1", "a")),  # at once: left, and joined
        ]
    )
    assert sorted(rows_of(found["memberships"], "person", "account_id", "since", "until", "linked_by", "ordinal")) == [
        ("user:1", "a", at(minutes=10), at(minutes=30), "e1", 1),
        ("user:1", "a", at(minutes=60), at(minutes=90), "e6", 3),
        ("user:1", "a", at(minutes=90), None, "e92", 4),
        ("user:1", "b", at(minutes=50), at(minutes=80), "e5", 2),
        ("user:2", "a", at(minutes=90), None, "e9", 1),
    ]
    assert sorted(rows_of(found["sole_memberships"], "person", "account_id", "since", "until")) == [
        ("user:1", "a", at(minutes=10), at(minutes=30)),
        ("user:1", "a", at(minutes=80), at(minutes=90)),
        ("user:1", "a", at(minutes=90), None),
        ("user:1", "b", at(minutes=50), at(minutes=60)),
        ("user:2", "a", at(minutes=90), None),
    ]
    assert rows_of(found["accounts"], "account_id", "members") == [("a", 2), ("b", 0)]
    assert sorted(rows_of(found["people"], "person", "account_id")) == [("user:1", "a"), ("user:2", "a")]


def test_a_leaving_that_names_no_account_is_of_the_only_one_ever_joined() -> None:
    rows = [group("e1", 10, "1", "a"), left("e2", 20), call("e3", at(minutes=30), user="1")]
    assert rows_of(built(rows)["memberships"], "account_id", "until") == [("a", at(minutes=20))]
    assert rows_of(built(rows)["accounts"], "account_id", "members", "last_seen") == [("a", 0, at(minutes=10))]
    several = [group("e1", 10, "1", "a"), group("e2", 15, "1", "b"), left("e3", 20)]
    assert sorted(rows_of(built(several)["memberships"], "account_id", "until")) == [("a", None), ("b", None)]


def test_only_a_track_call_of_that_name_ends_a_membership() -> None:
    rows = [group("e1", 10, "1", "a"), left("e2", 20, "a"), left("e3", 30, "a") | {"event": "Removed"}]
    assert rows_of(built([rows[0], rows[1] | {"kind": "page"}])["memberships"], "until") == [(None,)]
    own = core(domains=Domains(left_by="Removed"))
    assert rows_of(built(rows, models=own)["memberships"], "until") == [(at(minutes=30),)]


def test_a_merge_joins_memberships_under_one_person() -> None:
    rows = [group("e1", 10, "1", "a"), group("e2", 5, "2", "a")]
    rows.append(call("e3", at(minutes=20), kind="alias", user="2", previous_id="1"))
    found = built(rows)
    assert rows_of(found["memberships"], "person", "account_id", "since", "linked_by") == [
        ("user:1", "a", at(minutes=5), "e2")
    ]
    assert rows_of(found["accounts"], "account_id", "members") == [("a", 1)]


def test_an_event_with_a_group_in_its_context_makes_no_member() -> None:
    found = built([call("e1", at(), user="1", account_id="a")])
    assert found["memberships"].num_rows == 0
    assert rows_of(found["accounts"], "account_id", "members", "channel") == [("a", 0, None)]


def test_people_have_the_span_and_number_of_all_their_events() -> None:
    rows = [
        call("e1", at(0), kind="page", anonymous="x"),
        call("e2", at(1), kind="identify", user="1", anonymous="x"),
        call("e3", at(9), event="Task Completed", user="1"),
    ]
    assert rows_of(built(rows)["people"], "person", "first_seen", "last_seen", "events", "account_id", "traits") == [
        ("anonymous:x", at(0), at(9), 3, None, "{}")
    ]


def test_traits_keep_the_latest_value_of_each_key_by_event_time() -> None:
    rows = [
        call("e2", at(2), kind="identify", user="1", traits={"email": "new@x.co", "seats": 3, "tags": ["a", "b"]}),
        call("e1", at(1), kind="identify", user="1", traits={"email": "old@x.co", "plan": 'fr"ee', "nested": {"a": None}}),
    ]
    (found,) = rows_of(built(rows)["people"], "email", "traits")
    assert found[0] == "new@x.co"
    expected = {"email": "new@x.co", "seats": 3, "tags": ["a", "b"], "plan": 'fr"ee', "nested": {"a": None}}
    assert json.loads(str(found[1])) == expected


def test_a_call_with_other_keys_leaves_the_rest_and_one_with_the_same_keys_replaces_all() -> None:
    rows = [
        call("e1", at(1), kind="identify", user="1", traits={"plan": "free", "seats": 1}),
        call("e2", at(2), kind="identify", user="1", traits={"plan": "pro"}),
        call("e3", at(3), kind="identify", user="1", traits={"seats": 3, "plan": None}),
        call("e4", at(3), kind="identify", user="1", traits={"seats": 4}),
        call("e0", at(4), kind="identify", user="1"),
    ]
    (found,) = rows_of(built(rows)["people"], "traits")
    assert json.loads(str(found[0])) == {"plan": None, "seats": 4}


def test_what_is_set_once_stays_as_it_came_first_unless_a_call_sets_it() -> None:
    rows = [
        call("e2", at(2), kind="identify", user="1", traits={"$set_once": {"first": "b", "plan": "late", "seats": None}}),
        call("e1", at(1), kind="identify", user="1", traits={"$set_once": {"first": "a"}}),
        call("e3", at(3), kind="identify", user="1", traits={"plan": "pro", "$set_once": {"first": "c", "seats": 2}}),
        call("e4", at(4), kind="identify", user="1", traits={"$set_once": {"plan": "later"}}),
        call("e5", at(5), kind="identify", user="1", traits={"$set_once": "no object"}),
    ]
    (found,) = rows_of(built(rows)["people"], "traits")
    assert json.loads(str(found[0])) == {"first": "a", "plan": "pro", "seats": None}


def test_an_id_is_seen_when_its_first_event_came_and_not_where_it_is_only_named() -> None:
    rows = [
        call("e2", at(2), user="1"),
        call("e1", at(1), user="1"),
        call("e3", at(3), kind="identify", user="1", anonymous="x"),
    ]
    assert rows_of(built(rows)["seen_ids"], "id", "first_seen") == [("user:1", at(1))]


def test_activity_counts_per_person_account_and_day_what_is_nobody_s_too() -> None:
    rows = [
        call("e1", at(minutes=5), kind="page", user="1"),  # before any membership
        group("e2", 10, "1", "a"),
        call("e3", at(minutes=20), user="1"),  # a's
        call("e4", at(minutes=30), kind="screen", user="1", bot=True),  # a's
        call("e5", at(minutes=40), user="1", account_id="b"),  # says so itself
        call("e6", at(1), user="1"),
    ]
    counts = ("events", "tracks", "pages", "bots", "first_seen", "last_seen")
    found = rows_of(built(rows)["activity"], "account_id", "day", *counts)
    assert found == [
        ("a", at().date(), 3, 1, 1, 1, at(minutes=10), at(minutes=30)),
        ("a", at(1).date(), 1, 1, 0, 0, at(1), at(1)),
        ("b", at().date(), 1, 1, 0, 0, at(minutes=40), at(minutes=40)),
        (None, at().date(), 1, 0, 1, 0, at(minutes=5), at(minutes=5)),
    ]


def test_every_table_has_the_columns_it_is_repaired_by() -> None:
    stored = [query for name in TABLES if (query := load("models", name))]
    keys = {query.name: {key for key in (query.subject, query.moment) if key} for query in stored}
    assert {name: lacking for name in TABLES if (lacking := keys[name] - set(TABLES[name].names))} == {}


@pytest.mark.parametrize(
    ("traits", "name"),
    [({"name": "Ada L"}, "Ada L"), ({"firstName": "Ada", "lastName": "L"}, "Ada L"), ({"lastName": "L"}, "L"), ({}, None)],
)
def test_a_name_is_the_name_or_first_and_last_name(traits: dict[str, str], name: str | None) -> None:
    rows = built([call("e1", at(), kind="identify", user="1", traits=traits)])["people"]
    assert rows_of(rows, "name") == [(name,)]


@pytest.mark.parametrize(
    ("medium", "expected"),
    [
        *((medium, "paid search") for medium in ("cpc", "CPC", "ppc", "paid", "paid_search", "paidsearch")),
        *((medium, "paid social") for medium in ("paid_social", "paidsocial", "social-ads")),
        ("email", "email"),
        ("social", "social"),
        ("affiliate", "partner"),
        ("partner", "partner"),
        ("invite", "invite"),
        ("banner", "campaign"),
        (None, "campaign"),
    ],
)
def test_the_medium_of_a_campaign_names_the_channel(medium: str | None, expected: str) -> None:
    assert channel(visit(utm_source="news", utm_medium=medium, page_referrer="https://www.google.com/")) == expected


@pytest.mark.parametrize(
    ("referrer", "expected"),
    [
        ("https://www.google.com/", "organic search"),
        ("https://www.google.co.uk/search?q=x", "organic search"),
        ("https://r.search.yahoo.com/x", "organic search"),
        ("https://duckduckgo.com", "organic search"),
        ("https://mail.google.com/", "referral"),
        ("https://www.linkedin.com/feed", "social"),
        ("https://t.co/abc", "social"),
        ("https://old.reddit.com/r/x", "social"),
        ("https://netflix.com/", "referral"),
        ("https://blog.example.org:8080/post", "referral"),
        ("https://jcurve.app/", "direct"),
        ("https://blog.jcurve.app/", "direct"),
        ("", "direct"),
        (None, "direct"),
    ],
)
def test_the_referrer_names_the_channel_where_no_campaign_does(referrer: str | None, expected: str) -> None:
    assert channel(visit(page_referrer=referrer)) == expected


def test_an_invite_on_the_sign_up_names_the_channel_of_who_came_directly() -> None:
    sign_up = call("e2", at(1), event="Signed Up", user="1", traits={"invite_id": "i1"})
    assert channel(visit(), sign_up) == "invite"
    assert channel(visit(utm_medium="cpc"), sign_up) == "paid search"


def test_the_channel_is_that_of_the_first_event_and_of_two_at_once_the_smaller_id() -> None:
    assert channel(visit("e1", 5, utm_medium="email"), visit("e2", 1, utm_medium="cpc")) == "paid search"
    assert channel(visit("e2", 1, utm_medium="email"), visit("e1", 1, utm_medium="cpc")) == "paid search"
    assert channel(visit("e2", 1, utm_medium="email"), visit("e1", 1)) == "direct"


def test_the_channel_of_a_person_is_that_of_the_visit_before_the_identify() -> None:
    rows = [
        call("e1", at(0), kind="page", anonymous="x", utm_medium="cpc"),
        call("e2", at(1), kind="identify", user="1", anonymous="x"),
    ]
    assert channel(*rows) == "paid search"


def test_an_account_has_its_first_member_s_channel_and_its_latest_traits() -> None:
    rows = [
        call("e1", at(0), kind="page", user="1", utm_medium="cpc"),
        call("e2", at(0), kind="page", user="2", utm_medium="email"),
        group("e4", 20, "1", "a", name="Acme", seats=1),
        group("e3", 10, "2", "a", name="Acme Ltd"),
    ]
    (found,) = rows_of(
        built(rows)["accounts"], "account_id", "name", "members", "channel", "first_seen", "last_seen", "traits"
    )
    assert found[:-1] == ("a", "Acme", 2, "email", at(minutes=10), at(minutes=20))
    assert json.loads(str(found[-1])) == {"name": "Acme", "seats": 1}


def test_an_event_without_an_account_belongs_to_the_sole_membership_at_its_time() -> None:
    rows = [
        call("e1", at(minutes=5), user="1"),  # before any membership: nobody's
        group("e2", 10, "1", "a"),
        call("e3", at(minutes=20), user="1"),  # a's
        group("e4", 30, "1", "b"),
        call("e5", at(minutes=40), user="1"),  # two memberships: nobody's
        call("e6", at(minutes=50), user="1", account_id="a"),  # says so itself
    ]
    assert rows_of(built(rows)["accounts"], "account_id", "first_seen", "last_seen") == [
        ("a", at(minutes=10), at(minutes=50)),
        ("b", at(minutes=30), at(minutes=30)),
    ]
