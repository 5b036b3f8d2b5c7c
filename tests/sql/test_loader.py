"""The head of a SQL file is read, and held true against its query."""

import pytest

from sql.loader import KINDS, Folder, Query, SqlError, load, names, parse, relations

TEXT = """-- one row per person
-- grain: person_id, day
-- kind: whole
-- reads: events, actors
with own as (select * from events)
select actors.person_id, own.day from own join actors on actors.actor_id = own.actor_id where own.event = $event
"""


def test_a_query_knows_what_its_head_says() -> None:
    query = parse("models/x.sql", "x", TEXT)
    assert query == Query("x", "one row per person", ("person_id", "day"), "whole", ("events", "actors"), TEXT)
    assert query.parameters == {"event"}


def test_a_head_that_names_other_relations_than_the_query_is_refused() -> None:
    with pytest.raises(
        SqlError, match=r"models/x.sql: its head says it reads \['events'\], the query reads \['actors', 'events'\]"
    ):
        parse("models/x.sql", "x", TEXT.replace("events, actors", "events"))


def test_the_kind_names_the_keys_of_a_repair() -> None:
    days = parse("models/x.sql", "x", TEXT.replace("whole", "by_day person_id day"))
    assert (days.kind, days.subject, days.moment) == ("by_day", "person_id", "day")
    people = parse("models/x.sql", "x", TEXT.replace("whole", "by_subject person_id"))
    assert (people.kind, people.subject, people.moment) == ("by_subject", "person_id", None)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("by_day person_id", r"kind 'by_day' is followed by 2 columns, found \['person_id'\]"),
        ("whole person_id", r"kind 'whole' is followed by 0 columns, found \['person_id'\]"),
        ("by_subjet person_id", "there is no kind 'by_subjet' here, write one of whole, by_subject, by_day, relation"),
        ("check", "there is no kind 'check' here"),
        ("", "there is no kind '' here"),
        ("by_subject person", r"its kind names \['person'\], its rows have \['person_id', 'day'\]"),
    ],
)
def test_a_kind_whose_keys_do_not_fit_is_refused(kind: str, message: str) -> None:
    with pytest.raises(SqlError, match=message):
        parse("models/x.sql", "x", TEXT.replace("whole", kind))


@pytest.mark.parametrize("line", ["-- one row per person\n", "-- grain: person_id, day\n", "-- kind: whole\n"])
def test_a_head_without_one_of_its_lines_is_refused(line: str) -> None:
    with pytest.raises(SqlError, match="begin with '-- <what one row is>'"):
        parse("models/x.sql", "x", TEXT.replace(line, ""))


def test_relations_are_tables_but_not_functions_or_common_table_expressions() -> None:
    text = "with own as (select 1 as a) select * from own, json_each('{}') as j, unnest([1]) as u(v), events as e"
    assert relations(text) == {"events"}


def test_a_file_that_does_not_exist_is_refused_with_the_names_that_do() -> None:
    with pytest.raises(SqlError, match="there is no such file; models/ has account_days, account_people, accounts"):
        load("models", "nobody")


def test_a_name_cannot_leave_its_folder() -> None:
    with pytest.raises(SqlError, match="there is no such file"):
        load("models", "../checks/people_are_unique")


@pytest.mark.parametrize("folder", ["models", "metrics", "checks"])
def test_every_file_has_a_head_that_fits(folder: Folder) -> None:
    for name in names(folder):
        query = load(folder, name)
        assert query.title and query.grain, name
        assert query.kind in KINDS[folder], name


@pytest.mark.parametrize("folder", ["models", "metrics", "checks"])
def test_no_file_is_long(folder: Folder) -> None:
    assert [name for name in names(folder) if load(folder, name).text.count("\n") > 90] == []
