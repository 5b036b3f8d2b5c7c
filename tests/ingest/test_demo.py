"""The make-believe company: the same every time, plausible, and consistent with itself; and truths worked out by hand."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from itertools import pairwise

import msgspec
import pytest

from ingest.demo import Batch, Company, Size, deliver, plan, truth
from ingest.demo.chaos import Delivery
from ingest.demo.shape import DAY, HOUR, MINUTE, Account, Happening, Person
from ingest.demo.truth import Book, FunnelTruth

END = datetime(2026, 2, 20, tzinfo=UTC)
SMALL = [Size(people=150, accounts=24, days=60, seed=seed) for seed in range(25)]


@pytest.fixture(scope="module")
def default_company() -> Company:
    return plan(Size(), END)


@pytest.mark.parametrize("size", SMALL, ids=lambda size: f"seed {size.seed}")
def test_the_truth_of_any_company_is_consistent_with_itself(size: Size) -> None:
    company = plan(size, END)
    found = truth(company)
    assert found.people.reached[0] == size.people
    assert found.accounts.reached[0] == size.accounts
    for funnel in (found.people, found.accounts):
        assert list(funnel.by_path) == sorted(funnel.by_path, reverse=True)
        assert all(
            path <= reached <= funnel.reached[0] for path, reached in zip(funnel.by_path, funnel.reached, strict=True)
        )
        assert funnel.by_path[:2] == funnel.reached[:2]
    channels = found.people_by_channel.values()
    assert tuple(sum(steps[i] for steps in channels) for i in range(4)) == found.people.reached
    assert found.virality.new_account + found.virality.same_account == found.virality.numerator <= size.people
    assert max(found.north_star.values()) <= size.accounts
    assert all(company.start <= company.seen(h) < company.end for h in company.happenings)


def test_the_same_seed_gives_the_same_calls_and_another_seed_others() -> None:
    def first_bodies(seed: int) -> list[bytes]:
        return [batch.body(0) for batch in deliver(plan(Size(100, 20, 30, seed), END)).batches[:3]]

    assert first_bodies(1) == first_bodies(1)
    assert first_bodies(1) != first_bodies(2)


def test_the_default_company_looks_like_a_plg_company(default_company: Company) -> None:
    found = truth(default_company)
    assert 270_000 < len(default_company.happenings) < 330_000
    registered, activated, pql, paid = found.people.reached
    assert 0.34 < activated / registered < 0.42
    assert 0.11 < pql / registered < 0.16
    assert 0.035 < paid / registered < 0.065
    assert 0.28 < found.virality.numerator / found.virality.denominator < 0.5
    weeks = list(found.north_star.values())
    assert weeks[-2] > 1.5 * weeks[3]


def test_the_default_company_has_the_people_a_funnel_gets_wrong(default_company: Company) -> None:
    entered = Counter(tuple(sorted(entries)) for entries in Book(default_company).people.values())
    assert entered["activated", "paid", "registered"], "a payer who never was a PQL"
    assert entered["pql", "registered"], "a PQL who never activated"
    assert entered[("pql",)], "someone who raised a hand and never signed up"
    assert entered[()], "someone who only looked"


def test_every_call_is_delivered_and_the_repetitions_are_counted(default_company: Company) -> None:
    delivery = deliver(default_company)
    copies = Counter(ordinal for batch in delivery.batches for ordinal in batch.ordinals)
    assert sorted(copies) == list(range(delivery.accepted)) == list(range(len(default_company.happenings)))
    assert sum(copies.values()) == delivery.accepted + delivery.duplicate
    assert sum(map(len, delivery.batches)) == delivery.calls
    assert 0.01 * delivery.accepted < delivery.duplicate < 0.04 * delivery.accepted
    assert max(map(len, delivery.batches)) == 100


def test_every_call_has_an_id_of_its_own() -> None:
    delivery = deliver(plan(Size(people=100, accounts=20, days=30, seed=3), END))
    ids = {call["messageId"] for batch in delivery.batches for call in batch.calls}
    assert len(ids) == delivery.accepted + delivery.rejected


def test_a_wrong_clock_corrected_by_whole_steps_gives_the_time_the_truth_counts_with() -> None:
    company = plan(Size(people=400, accounts=60, days=30, seed=3), END)
    now = company.end + 5 * HOUR + 17_003
    seen = _seen_by_a_collector(deliver(company), now)
    assert seen == {f"demo-3-{ordinal:08x}": company.seen(h) for ordinal, h in enumerate(company.happenings)}
    shifts = [company.seen(h) - h.time for h in company.happenings]
    assert any(shifts)
    assert max(map(abs, shifts)) < MINUTE


def test_some_events_come_long_after_their_neighbours(default_company: Company) -> None:
    ordinals = [ordinal for batch in deliver(default_company).batches if batch.clock == 0 for ordinal in batch.ordinals]
    behind = sum(later + 5_000 < earlier for earlier, later in pairwise(ordinals))
    assert behind > 1_000


def test_a_history_must_end_at_a_midnight() -> None:
    with pytest.raises(ValueError, match="pass a whole day"):
        plan(Size(people=10, accounts=2, days=10), datetime(2026, 2, 20, 9, tzinfo=UTC))


# --- a company made by hand: Ana founds acme, Ben and Cleo join it, Dan founds another and pays at once, Eva only looks ---

DAY_0 = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp()) * 1000  # a Monday
ANA, BEN, CLEO, DAN, EVA = range(5)
ACME, OTHER = range(2)


def _company(*happenings: Happening) -> Company:
    people = tuple(
        Person(i, None, name, f"{name}@mail.example", "direct")
        for i, name in enumerate(("ana", "ben", "cleo", "dan", "eva"))
    )
    accounts = (Account(ACME, "Acme"), Account(OTHER, "Other"))
    ordered = tuple(sorted(happenings, key=lambda h: h.time))
    return Company(Size(4, 2, 60, 0), DAY_0, DAY_0 + 60 * DAY, people, accounts, ordered)


def _did(person: int, day: float, name: str, account: int | None = None, **properties: str) -> Happening:
    return Happening(DAY_0 + int(day * DAY), person, "track", name, properties, account)


def _member(person: int, day: float, account: int) -> Happening:
    return Happening(DAY_0 + int(day * DAY), person, "group", account=account)


SIGN_UPS = (
    *(_did(person, day, "Signed Up") for person, day in ((ANA, 1), (BEN, 3), (CLEO, 4), (DAN, 5))),
    *(_member(person, day, ACME) for person, day in ((ANA, 1.1), (BEN, 3.1), (CLEO, 9))),
    _member(DAN, 5.1, OTHER),
    Happening(DAY_0, EVA, "page", "Home", touch="referral", known=False),
)


def test_three_people_of_an_account_make_its_members_pql_and_a_later_member_from_joining() -> None:
    tasks = (_did(ANA, 2, "Task Completed"), _did(BEN, 5, "Task Completed"), _did(EVA, 8, "Task Completed", ACME))
    book = Book(_company(*SIGN_UPS, *tasks))
    assert book.accounts[ACME]["pql"] == DAY_0 + 8 * DAY
    assert book.people[ANA]["pql"] == DAY_0 + 8 * DAY
    assert book.people[CLEO]["pql"] == DAY_0 + 9 * DAY
    assert "pql" not in book.people[DAN]
    apart = (_did(ANA, 2, "Task Completed"), _did(BEN, 5, "Task Completed"), _did(EVA, 9.5, "Task Completed", ACME))
    assert "pql" not in Book(_company(*SIGN_UPS, *apart)).accounts[ACME]


def test_a_task_before_joining_does_not_belong_to_the_account() -> None:
    tasks = (_did(ANA, 8, "Task Completed"), _did(BEN, 8, "Task Completed"), _did(CLEO, 8, "Task Completed"))
    assert "pql" not in Book(_company(*SIGN_UPS, *tasks)).accounts[ACME]


def test_activation_needs_all_conditions_within_seven_days_both_ends_included() -> None:
    project = _did(ANA, 1, "Project Created")
    tasks = [_did(ANA, day, "Task Completed") for day in (2, 3)]
    assert (
        Book(_company(*SIGN_UPS, project, *tasks, _did(ANA, 8, "Task Completed"))).people[ANA]["activated"]
        == DAY_0 + 8 * DAY
    )
    late = Happening(DAY_0 + 8 * DAY + 1, ANA, "track", "Task Completed")
    assert "activated" not in Book(_company(*SIGN_UPS, project, *tasks, late)).people[ANA]


def test_a_payer_who_never_was_pql_is_reached_but_not_by_path() -> None:
    found = truth(_company(*SIGN_UPS, _did(DAN, 6, "Subscription Started")))
    assert found.people == FunnelTruth((4, 0, 0, 1), (4, 0, 0, 0))
    assert found.accounts == FunnelTruth((2, 0, 0, 1), (2, 0, 0, 0))
    assert found.people_by_channel == {"direct": (4, 0, 0, 1)}


def test_a_hand_raised_before_signing_up_is_no_pql_of_the_funnel() -> None:
    found = truth(_company(*SIGN_UPS, _did(ANA, 0.9, "Demo Requested"), _did(BEN, 30, "Contact Sales Clicked")))
    assert found.people == FunnelTruth((4, 0, 1, 0), (4, 0, 0, 0))


def test_usage_counts_five_reports_within_fourteen_days() -> None:
    reports = [_did(ANA, day, "Report Exported") for day in (2, 10, 12, 14, 16)]
    assert Book(_company(*SIGN_UPS, *reports)).people[ANA]["pql"] == DAY_0 + 16 * DAY
    assert "pql" not in Book(_company(*SIGN_UPS, *reports[:-1], _did(ANA, 16.1, "Report Exported"))).people[ANA]


def test_an_invitee_counts_once_for_the_first_accepted_invitation_and_splits_by_account() -> None:
    def sent(person: int, day: float, identifier: str, email: str) -> Happening:
        return _did(person, day, "Invite Sent", ACME, invite_id=identifier, invitee_email=email)

    def accepted(person: int, day: float, identifier: str) -> Happening:
        return _did(person, day, "Invite Accepted", invite_id=identifier)

    company = _company(
        *SIGN_UPS,
        *(sent(ANA, 2, "i1", "ben@mail.example"), accepted(BEN, 3.2, "i1")),  # joins her account
        *(sent(ANA, 2, "i2", "dan@mail.example"), accepted(DAN, 5.3, "i2")),  # founds his own,
        *(sent(BEN, 3.5, "i3", "dan@mail.example"), accepted(DAN, 5.2, "i3")),  # and accepted Ben's before
        sent(ANA, 3.9, "i4", "cleo@mail.example"),  # never accepted by its id: the address tells
        *(sent(DAN, 20, "i5", "ana@mail.example"), accepted(ANA, 21, "i5")),  # she was here before
        *(sent(BEN, 6, "i6", "x@mail.example"), accepted(BEN, 7, "i6")),  # himself
    )
    found = truth(company).virality
    assert (found.numerator, found.denominator) == (3, 4)
    assert (found.same_account, found.new_account) == (2, 1)
    assert found.cycle_days_median == 2.0  # Ben 2, Cleo 3, Dan 2 days after their inviters
    assert found.until == date(2026, 2, 4)


def test_nobody_old_enough_gives_no_base() -> None:
    company = _company(_did(ANA, 45, "Signed Up"))
    found = truth(company).virality
    assert (found.numerator, found.denominator, found.cycle_days_median) == (0, 0, None)


def test_the_north_star_counts_accounts_with_five_tasks_in_a_week_from_monday() -> None:
    five = [_did(ANA, 7 + n, "Task Completed") for n in range(5)]
    four_and_one = [_did(DAN, day, "Task Completed") for day in (10, 11, 12, 13.9, 14.1)]
    weeks = truth(_company(*SIGN_UPS, *five, *four_and_one)).north_star
    assert weeks[date(2026, 1, 12)] == 1
    assert sum(weeks.values()) == 1
    assert len(weeks) == 9


def test_a_batch_says_it_was_sent_by_its_own_clock() -> None:
    body = msgspec.json.decode(Batch(_company(), (), clock=-7 * MINUTE, ready=({"type": "track"},)).body(DAY_0))
    assert body == {"batch": [{"type": "track"}], "sentAt": "2026-01-04T23:53:00.000Z"}


def _seen_by_a_collector(delivery: Delivery, now: int) -> dict[str, int]:
    """Message id -> corrected time, by the rule of ingest/times.py worked out here once more."""

    def milliseconds(text: str) -> int:
        return round(datetime.fromisoformat(text).timestamp() * 1000)

    seen = {}
    for batch in delivery.batches:
        body = msgspec.json.decode(batch.body(now))
        step = 5 * MINUTE
        correction = (now + 900 - milliseconds(body["sentAt"]) + step // 2) // step * step
        for call in body["batch"]:
            if "timestamp" in call:
                seen[call["messageId"]] = milliseconds(call["timestamp"]) + correction
    return seen
