"""Definitions as files: what is read, what is refused and how that is said."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from funnels.definitions.definition import Condition, Members, Rule, Selection
from funnels.definitions.load import DEFAULTS, copy_defaults, load
from funnels.definitions.written import DefinitionError
from tests.funnels.world import definitions_of
from transforms.domains import Domains


def faults(folder: Path, **files: str) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        definitions_of(folder, **files)
    assert all(fault.key for fault in caught.value.faults)
    return [str(fault) for fault in caught.value.faults]


ONE_STAGE = """
[stages.registered]
person.any = [{ event = "Signed Up" }]
[stages.activated]
person.any = [{ event = "Signed Up" }]
[stages.pql]
person.any = [{ event = "Signed Up" }]
[stages.paid]
person.any = [{ event = "Signed Up" }]
"""


def test_a_missing_folder_means_the_defaults(tmp_path: Path) -> None:
    definitions = load(tmp_path / "nowhere")
    assert list(definitions.stages) == ["registered", "activated", "pql", "paid"]
    assert definitions.funnels["plg"].steps == ("registered", "activated", "pql", "paid")
    assert definitions.funnels["plg"].window == timedelta(days=90)
    assert definitions.virality.horizon == timedelta(days=30)
    assert (definitions.north_star.unit, definitions.north_star.times, definitions.north_star.per) == ("account", 5, "week")


def test_the_default_stages_mean_what_the_documentation_says() -> None:
    stages = load(DEFAULTS).stages
    assert stages["activated"].person == Rule(
        (
            Condition("Project Created", (Selection("Project Created"),)),
            Condition("Task Completed", (Selection("Task Completed"),), times=3),
        ),
        needed=2,
        after="registered",
        within=timedelta(days=7),
    )
    assert stages["registered"].account == stages["activated"].account == Members(1)
    pql = stages["pql"].person
    assert isinstance(pql, Rule)
    assert [(c.label, c.times, c.people, c.window) for c in pql.conditions] == [
        ("usage", 5, None, timedelta(days=14)),
        ("hand raise", 1, None, None),
        ("active people", 1, 3, timedelta(days=7)),
    ]


def test_every_default_event_is_described_with_its_properties() -> None:
    events = load(DEFAULTS).events
    assert {
        "Signed Up",
        "Account Created",
        "Invite Sent",
        "Invite Accepted",
        "Trial Started",
        "Subscription Started",
    } <= set(events)
    assert all(event.description for event in events.values())
    assert "invite_id" in events["Invite Sent"].properties


def test_an_unknown_key_is_told_with_its_file_line_and_nearest_name(tmp_path: Path) -> None:
    text = ONE_STAGE + '[stages.busy.person]\nany = [\n  { event = "Signed Up", times = 2, windw = "7d" },\n]\n'
    assert faults(tmp_path, stages=text) == [
        "stages.toml:12: unknown key 'windw' in condition 1 of stage 'busy' (person); did you mean 'window'?"
    ]


def test_all_faults_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    stages = (
        ONE_STAGE
        + """
[stages.busy.person]
after = "registred"
within = "a week"
all = [{ event = "Sined Up" }, { event = "Signed Up", times = 0 }]
[stages.busy.account]
members = 2
any = [{ event = "Signed Up" }]
"""
    )
    funnels = '[funnels.short]\nsteps = ["registered", "payed"]\nwindow = "400d"\nunit = "user"\n'
    assert faults(tmp_path, stages=stages, funnels=funnels) == [
        "funnels.toml:2: unknown stage 'payed' in funnel 'short'; did you mean 'paid'?",
        "funnels.toml:3: 'window' of funnel 'short' is '400d': write a duration such as '90s', '12h', '7d', at most 366d",
        "funnels.toml:4: unknown unit 'user' in funnel 'short'; known: account, person",
        "stages.toml:12: unknown stage 'registred' in stage 'busy' (person); did you mean 'registered'?",
        "stages.toml:13: 'within' of stage 'busy' (person) is 'a week': "
        "write a duration such as '90s', '12h', '7d', at most 366d",
        "stages.toml:14: unknown event 'Sined Up' in condition 1 of stage 'busy' (person); did you mean 'Signed Up'?",
        "stages.toml:14: 'times' of condition 2 of stage 'busy' (person) is 0: write a whole number from 1 to 1000000",
        "stages.toml:17: stage 'busy' (account) has both 'members' and 'any': leave one out",
    ]


def test_stages_that_come_after_one_another_in_a_circle_are_refused(tmp_path: Path) -> None:
    text = (
        ONE_STAGE
        + """
[stages.hen.person]
after = "egg"
any = [{ event = "Signed Up" }]
[stages.egg.person]
after = "hen"
any = [{ event = "Signed Up" }]
"""
    )
    assert faults(tmp_path, stages=text) == [
        "stages.toml:11: stage 'hen' comes after itself: hen after egg after hen",
        "stages.toml:14: stage 'egg' comes after itself: egg after hen after egg",
    ]


@pytest.mark.parametrize(
    ("stage", "fault"),
    [
        ("[stages.x]\ntitle = 'X'", "10: stage 'x' has neither 'person' nor 'account': say when it is entered"),
        (
            "[stages.x]\naccount.members = 2",
            "11: stage 'x' counts members of an account but does not say when a person enters it",
        ),
        ("[stages.x.person]\nafter = 'registered'", "10: stage 'x' (person) needs exactly one of 'any' or 'all'"),
        ("[stages.x.person]\nany = []", "11: 'any' of stage 'x' (person) is []: write a list of tables, at least one"),
        (
            "[stages.x.person]\nwithin = '7d'\nany = [{event = 'Signed Up'}]",
            "11: stage 'x' (person) has 'within' but no 'after': say after which stage",
        ),
        (
            "[stages.x.person]\nany = [{times = 2}]",
            "11: condition 1 of stage 'x' (person) needs exactly one of 'event' or 'any_of'",
        ),
        (
            "[stages.x.person]\nany = [{event = 'Signed Up', times = 2, people = 2}]",
            "11: condition 1 of stage 'x' (person) has both 'times' and 'people': leave one out",
        ),
        (
            "[stages.x.person]\nafter = 'registered'\nany = [{event = 'Signed Up', people = 2}]",
            "12: condition 1 of stage 'x' (person) counts people of the account, "
            "which 'after' a person's stage cannot bound",
        ),
        (
            "[stages.x.account]\nafter = 'paid'\nany = [{event = 'Signed Up'}]",
            "10: stage 'x' comes after stage 'paid', which has no 'account'",
        ),
        ("[stages]\nx = 3", "11: stage 'x' is 3: write a table"),
    ],
)
def test_a_stage_that_cannot_be_meant_is_refused(tmp_path: Path, stage: str, fault: str) -> None:
    text = (
        ONE_STAGE + stage
        if "[stages]" not in stage
        else ONE_STAGE.replace("[stages.registered]", stage + "\n[stages.registered]")
    )
    expected = fault if "[stages]" not in stage else fault.replace("11:", "3:")
    assert faults(tmp_path, stages=text) == [f"stages.toml:{expected}"]


def test_filters_are_those_of_a_request_and_their_faults_stand_at_their_lines(tmp_path: Path) -> None:
    text = (
        ONE_STAGE
        + """
[stages.big.person]
any = [
  { event = "Signed Up", where = [
    { property = "properties.plan", op = "eqq", value = "team" },
    { any = [{ property = "zzz", op = "gt", value = 3 }] },
    { property = "person_now.plan", op = "eq", value = "team" },
  ] },
]
"""
    )
    assert faults(tmp_path, stages=text) == [
        "stages.toml:13: 'person_now.plan' in condition 1 of stage 'big' (person) changes with time; "
        "filter by what the event itself carries",
        "stages.toml:14: 'where[0].op' of condition 1 of stage 'big' (person) is 'eqq': "
        "no such operator; did you mean 'eq'?",
        "stages.toml:15: 'where[1].any[0].property' of condition 1 of stage 'big' (person) is 'zzz': "
        "no such property; did you mean 'properties.zzz'?",
    ]


def test_text_that_is_not_toml_is_told_with_its_line(tmp_path: Path) -> None:
    (found,) = [fault for fault in _errors(tmp_path, b"[stages.x]\ntitle = \n") if fault.startswith("stages")]
    assert found.startswith("stages.toml:2: not TOML: Invalid value")
    (found,) = [fault for fault in _errors(tmp_path, b"[stages.x]\ntitle = '\xff'\n") if fault.startswith("stages")]
    assert found == "stages.toml:1: not UTF-8 text: invalid start byte at byte 20"


def _errors(folder: Path, content: bytes) -> list[str]:
    (folder / "stages.toml").write_bytes(content)
    with pytest.raises(DefinitionError) as caught:
        load(folder)
    return [str(fault) for fault in caught.value.faults]


def test_a_file_of_another_kind_and_a_name_given_twice_are_refused(tmp_path: Path) -> None:
    found = faults(
        tmp_path, stages=ONE_STAGE + "[stagse.x]\n", more="[stages.registered]\nperson.any = [{ event = 'Signed Up' }]"
    )
    assert found == [
        "stages.toml:2: stage 'registered' is also defined in more.toml",
        "stages.toml:10: unknown table 'stagse'; did you mean 'stages'?",
    ]


def test_a_deployment_may_write_only_what_differs_and_add_events_of_its_own(tmp_path: Path) -> None:
    definitions = definitions_of(
        tmp_path,
        ours='[events."Board Shared"]\ndescription = "A board was shown to others."\n',
        virality="[virality]\nstage = 'registered'\nhorizon = '2w'\n"
        "sent.event = 'Board Shared'\naccepted.event = 'Invite Accepted'\n",
    )
    assert definitions.virality.sent == "Board Shared"
    assert definitions.virality.sent_invite_id == "invite_id"
    assert list(definitions.stages) == ["registered", "activated", "pql", "paid"]
    assert "Signed Up" in definitions.events


def test_copying_the_defaults_leaves_what_is_there_alone(tmp_path: Path) -> None:
    folder = tmp_path / "definitions"
    folder.mkdir()
    (folder / "funnels.toml").write_text("[funnels.mine]\nsteps = ['registered']\nwindow = '1d'\n")
    copied = copy_defaults(folder)
    names = [
        "accounts.toml",
        "cohorts.toml",
        "north_star.toml",
        "stages.toml",
        "traffic.toml",
        "virality.toml",
        "vocabulary.toml",
    ]
    assert sorted(path.name for path in copied) == names
    assert list(load(folder).funnels) == ["mine"]
    assert copy_defaults(folder) == []


def test_the_copied_defaults_are_the_defaults(tmp_path: Path) -> None:
    copy_defaults(tmp_path)
    assert load(tmp_path) == load(DEFAULTS)


def test_a_leaving_is_an_event_and_neither_members_nor_people_of_an_account(tmp_path: Path) -> None:
    stages = """
[stages.paid]
account = { members = 1, left_by = [{ event = "Subscription Cancelled" }] }
[stages.paid.person]
any = [{ event = "Task Completed", people = 2 }]
left_by = [{ event = "Subscription Canceled" }]
[stages.team.account]
any = [{ event = "Task Completed", people = 2 }]
left_by = [{ event = "Signed Out", people = 2 }]
"""
    funnels = "[funnels.team]\nsteps = ['team', 'paid']\nwindow = '9d'\n"
    found = [
        fault.split(": ", 1)[1] for fault in faults(tmp_path, stages=stages, funnels=funnels) if fault.startswith("stages")
    ]
    assert found == [
        "stage 'paid' (account) has both 'members' and 'left_by': leave one out",
        "unknown event 'Subscription Canceled' in leaving condition 1 of stage 'paid' (person); "
        "did you mean 'Subscription Cancelled'?",
        "stage 'paid' (person) counts people of the account, whom one person's leaving does not take along",
        "leaving condition 1 of stage 'team' (account) counts people, which ends no spell: "
        "write an event, and 'times' if need be",
    ]


def test_a_project_named_in_the_definitions_makes_accounts_of_e_mail_domains(tmp_path: Path) -> None:
    text = "[accounts]\nemail_domains = ['shop']\nfree_domains = ['Alumni.example']\n"
    (tmp_path / "accounts.toml").write_text(text)
    accounts = load(tmp_path).accounts
    assert accounts.domains("shop") == Domains(True, frozenset({"alumni.example"}))
    assert not accounts.domains("default").on
    assert load(DEFAULTS).accounts.domains("default") == Domains()
    assert load(tmp_path).version != load(DEFAULTS).version
    assert faults(tmp_path, accounts="[accounts]\nemail_domains = true\nfree = []\n") == [
        "accounts.toml:2: 'email_domains' of accounts is True: write a list of texts, at least one",
        "accounts.toml:3: unknown key 'free' in accounts; known: company_domains, email_domains, free_domains, left_by",
    ]


def test_a_project_may_name_the_event_by_which_people_leave_accounts(tmp_path: Path) -> None:
    events = "[events.\"Seat Freed\"]\ndescription = 'x'\n"
    own = definitions_of(tmp_path, events=events, accounts="[accounts]\nleft_by = 'Seat Freed'\n")
    assert own.accounts.domains("default") == Domains(left_by="Seat Freed")
    assert faults(tmp_path, accounts="[accounts]\nleft_by = 'Seat Fred'\n") == [
        "accounts.toml:2: unknown event 'Seat Fred' in accounts; did you mean 'Seat Freed'?",
    ]
