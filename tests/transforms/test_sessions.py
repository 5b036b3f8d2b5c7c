"""Sessions and days: silence, midnight, month borders, zones, late events, and random histories against plain Python."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from tests.transforms.world import Row, at, built, call, lake_of, rows_of
from transforms import days
from transforms.build import build
from transforms.core import CORE, core

SILENCE = timedelta(minutes=30)
SECOND = timedelta(seconds=1)


def tables(rows: Sequence[Row], zone: str = "UTC") -> dict[str, pa.Table]:
    return built(rows, models=core(zone=zone) + days.models(zone))


def visit(event_id: str, time: datetime, user: str = "1", **columns: object) -> Row:
    return call(event_id, time, kind="page", user=user, **columns)  # type: ignore[arg-type]


def sessions(rows: Sequence[Row]) -> list[tuple[object, ...]]:
    return rows_of(built(rows)["sessions"], "session_id", "started", "ended", "events")


def test_half_an_hour_of_silence_goes_on_and_a_second_more_begins_a_new_session() -> None:
    rows = [visit("e1", at()), visit("e2", at() + SILENCE), visit("e3", at() + 2 * SILENCE + SECOND)]
    assert sessions(rows) == [
        ("e1", at(), at() + SILENCE, 2),
        ("e3", at() + 2 * SILENCE + SECOND, at() + 2 * SILENCE + SECOND, 1),
    ]


def test_copies_of_an_event_in_two_months_open_two_sessions_of_its_name() -> None:
    assert [row[:2] for row in sessions([visit("e1", at()), visit("e1", at(70))])] == [("e1", at()), ("e1", at(70))]


@pytest.mark.parametrize("night", [datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)])
def test_a_session_goes_on_over_midnight_and_into_the_next_month(night: datetime) -> None:
    rows = [visit("e1", night - 10 * SECOND), visit("e2", night + 10 * SECOND)]
    found = tables(rows)
    assert rows_of(found["sessions"], "session_id", "started", "events") == [("e1", night - 10 * SECOND, 2)]
    assert rows_of(found["person_days"], "day", "events", "sessions") == [
        ((night - SILENCE).date(), 1, 1),
        (night.date(), 1, 0),
    ]


def test_sources_and_bots_have_sessions_of_their_own() -> None:
    rows = [
        visit("e1", at(minutes=0), source="web"),
        visit("e2", at(minutes=5), source="server"),
        visit("e3", at(minutes=6), source="web", bot=True),
        visit("e4", at(minutes=29), source="web"),
    ]
    assert rows_of(built(rows)["sessions"], "session_id", "source", "bot", "events") == [
        ("e1", "web", False, 2),
        ("e2", "server", False, 1),
        ("e3", "web", True, 1),
    ]
    assert rows_of(tables(rows)["person_days"], "events", "bots", "sessions") == [(4, 1, 2)]


def test_an_anonymous_visit_and_the_sign_up_after_it_are_one_session() -> None:
    rows = [
        call("e1", at(minutes=0), kind="page", anonymous="x", utm_medium="cpc"),
        call("e2", at(minutes=9), kind="identify", user="1", anonymous="x"),
        call("e3", at(minutes=20), event="Task Completed", user="1"),
    ]
    assert rows_of(built(rows)["sessions"], "session_id", "person", "events", "pages", "channel") == [
        ("e1", "anonymous:x", 3, 1, "paid search")
    ]


def test_a_session_has_its_first_page_and_the_channel_of_its_first_event() -> None:
    rows = [
        call("e1", at(minutes=0), user="1", utm_source="news", utm_medium="Email"),
        visit("e3", at(minutes=2), page_path="/pricing"),
        visit("e2", at(minutes=2), page_path="/"),
        visit("e4", at(minutes=60), page_path="/again", page_referrer="https://www.google.com/", page_url="https://a.b/"),
        call("e5", at(minutes=200), user="1"),
    ]
    assert rows_of(built(rows)["sessions"], "session_id", "pages", "entry_page", "channel") == [
        ("e1", 2, "/", "email"),
        ("e4", 1, "/again", "organic search"),
        ("e5", 0, None, "direct"),
    ]


def test_of_events_that_came_at_once_the_least_id_tells_of_its_session_and_a_page_is_its_first() -> None:
    rows = [
        call("e3", at(), user="1", utm_medium="cpc"),
        call("e2", at(), user="1", utm_medium="email"),
        visit("e4", at(), page_path="/at-once"),
        visit("e1", at(), source="app", page_path="/app"),
        call("e5", at(minutes=90), user="1"),
        visit("e7", at(minutes=91), page_path="/seven"),
        visit("e6", at(minutes=91), page_path="/six"),
    ]
    assert rows_of(built(rows)["sessions"], "session_id", "source", "events", "pages", "entry_page", "channel") == [
        ("e1", "app", 1, 1, "/app", "direct"),
        ("e2", "test", 3, 1, "/at-once", "email"),
        ("e5", "test", 3, 2, "/six", "direct"),
    ]


def test_a_late_event_joins_two_sessions_and_the_next_build_shows_it(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, [visit("e1", at(minutes=0)), visit("e2", at(minutes=50))])

    def made() -> list[tuple[object, ...]]:
        models = CORE + days.models()
        manifest = build(lake, "default", models, until=at(9), definition_version="a", now=at(9)).manifest
        table = lake.open("default", "sessions", manifest.tables["sessions"])
        assert table is not None
        return sorted(rows_of(table.to_pyarrow_table(), "session_id", "started", "ended", "events"))

    assert made() == [("e1", at(), at(), 1), ("e2", at(minutes=50), at(minutes=50), 1)]
    lake_of(tmp_path, [visit("e0", at(minutes=25), received_at=at(8))], batch=2)
    assert made() == [("e1", at(), at(minutes=50), 3)]


def test_a_day_is_one_of_the_reporting_zone() -> None:
    """The times of metrics.md M1 T1; Los Angeles springs forward on that day, which has 23 hours."""
    rows = [
        visit("e1", datetime(2024, 3, 10, 7, 30, tzinfo=UTC), account_id="a"),
        visit("e2", datetime(2024, 3, 10, 16, 30, tzinfo=UTC), account_id="a"),
        visit("e3", datetime(2024, 3, 11, 6, 59, 59, tzinfo=UTC), account_id="a"),
        visit("e4", datetime(2024, 3, 11, 7, 0, tzinfo=UTC), account_id="a"),
    ]
    expected = {
        "UTC": [(date(2024, 3, 10), 2), (date(2024, 3, 11), 2)],
        "Asia/Shanghai": [(date(2024, 3, 10), 1), (date(2024, 3, 11), 3)],
        "America/Los_Angeles": [(date(2024, 3, 9), 1), (date(2024, 3, 10), 2), (date(2024, 3, 11), 1)],
    }
    for zone, counts in expected.items():
        found = tables(rows, zone)
        assert rows_of(found["person_days"], "day", "events") == counts
        assert rows_of(found["account_days"], "day", "events") == counts


def test_an_account_s_day_counts_its_people_once_and_leaves_out_what_is_nobody_s() -> None:
    rows = [
        call("g1", at(0), kind="group", user="1", account_id="a"),
        call("g2", at(0), kind="group", user="2", account_id="a"),
        visit("e1", at(0, 60)),
        call("e2", at(0, 61), user="2"),
        visit("e3", at(1), bot=True),
        call("e4", at(1), user="3"),
    ]
    columns = ("account_id", "day", "events", "tracks", "pages", "bots", "people")
    assert rows_of(tables(rows)["account_days"], *columns) == [
        ("a", date(2026, 3, 2), 4, 1, 1, 0, 2),
        ("a", date(2026, 3, 3), 1, 0, 1, 1, 0),
    ]


def test_random_histories_agree_with_a_plain_walk() -> None:
    seeded = random.Random(7)
    rows = []
    for number in range(3000):
        time = at(seeded.randrange(28), 10 * seeded.randrange(144))  # a coarse grid: equal times, exact half hours
        kind = seeded.choice(("page", "track"))
        more = {"source": seeded.choice(("web", "app")), "bot": seeded.random() < 0.1}
        account = seeded.choice((None, None, "a", "b"))
        rows.append(call(f"e{number:04}", time, kind=kind, user=str(seeded.randrange(12)), account_id=account, **more))  # type: ignore[arg-type]
    seeded.shuffle(rows)
    zone = "America/Sao_Paulo"
    found = tables(rows, zone)
    walked = walk(rows)
    assert sorted(rows_of(found["sessions"], "session_id", "started", "ended", "events", "pages")) == sorted(walked)
    assert len(walked) > 1000
    in_days: Counter[tuple[object, ...]] = Counter()
    for row in rows:
        in_days[f"user:{row['user_id']}", local(row["time"], zone), "events"] += 1
    starts = {name: started for name, started, *_ in walked}
    for row in rows:
        if row["event_id"] in starts and not row["bot"]:
            in_days[f"user:{row['user_id']}", local(row["time"], zone), "sessions"] += 1
    for person, day, events, begun in rows_of(found["person_days"], "person", "day", "events", "sessions"):
        assert (events, begun) == (in_days[person, day, "events"], in_days[person, day, "sessions"])
    assert sum(found["account_days"]["events"].to_pylist()) == sum(row["account_id"] is not None for row in rows)


def walk(rows: Sequence[Row]) -> list[tuple[object, ...]]:
    """One event after another: a new session where the last one of its person, source and kind of sender is too long ago."""
    streams: dict[object, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row["time"], row["event_id"])):
        streams[row["user_id"], row["source"], row["bot"]].append(row)
    found: list[list[Row]] = []
    for stream in streams.values():
        found.append([])
        for row in stream:
            if found[-1] and row["time"] - found[-1][-1]["time"] > SILENCE:  # type: ignore[operator]
                found.append([])
            found[-1].append(row)
    return [
        (one[0]["event_id"], one[0]["time"], one[-1]["time"], len(one), sum(row["kind"] == "page" for row in one))
        for one in found
    ]


def local(time: object, zone: str) -> date:
    assert isinstance(time, datetime)
    return time.astimezone(ZoneInfo(zone)).date()
