"""Which events a question about one unit reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from funnels.adhoc import Source
from funnels.request import parse
from tests.funnels.world import LATER, did, joined
from tests.transforms.world import call, lake_of

DAY = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
AB = [{"event": "A"}, {"event": "B"}]


def read(folder: Path, unit: str, given: str, **changes: object) -> list[str]:
    """The ids of these events, ordered."""
    rows = [
        joined("ann", "acme", DAY),
        call("i1", DAY, kind="identify", user="ann", anonymous="dev", traits={"plan": "pro"}),
        call("i2", DAY, kind="identify", user="bob", anonymous="box", traits={"plan": "pro"}),
        did("ann", "A", DAY + HOUR, "a1"),
        did("ann", "Other", DAY + HOUR, "o1"),
        call("d1", DAY + HOUR, anonymous="dev", event="B"),
        did("bob", "A", DAY + HOUR, "a2"),
        did("eve", "A", DAY + HOUR, "a3", account_id="acme"),
    ]
    lake = lake_of(folder, rows)
    body = {"steps": AB, "from": "2026-01-01", "to": "2026-02-01", "window": "14d", "unit": unit, **changes}
    source = Source(lake, "default", lake.version("default", "events"), LATER, None)
    with source.engine() as engine:
        source.asking(engine, parse(body), named=True, of=given)
        found = engine.table("select event_id from events order by event_id")["event_id"].to_pylist()
        return [str(one) for one in found]


def test_of_a_person_those_of_all_their_ids_that_the_question_names(tmp_path: Path) -> None:
    assert read(tmp_path / "plain", "person", "ann") == ["a1", "d1"]
    assert read(tmp_path / "strict", "person", "user:ann", order="strict") == ["a1", "ann joined acme", "d1", "i1", "o1"]
    assert read(tmp_path / "nobody", "person", "nobody") == []


def test_what_traits_were_is_told_by_the_calls_of_anybody(tmp_path: Path) -> None:
    where = [{"property": "person.plan", "op": "eq", "value": "pro"}]
    assert read(tmp_path, "person", "bob", where=where) == ["a2", "i1", "i2"]


def test_of_an_account_those_that_name_it_and_its_people_s(tmp_path: Path) -> None:
    assert read(tmp_path, "account", "acme") == ["a1", "a3", "d1"]


def test_of_a_session_all_of_its_person_s(tmp_path: Path) -> None:
    assert read(tmp_path, "session", "a2") == ["a2", "i2"]
