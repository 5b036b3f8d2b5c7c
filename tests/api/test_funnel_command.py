"""``jcurve funnel``: a file's question, a saved one, a funnel over stages; as a table, with bars, as JSON, as CSV."""

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from api.cli import main
from api.funnel_page import bar, duration, page
from tests.api.world import World, registrations, track

FILE = """
title = "Sign-up to project"
from = 2026-01-01
to = 2026-03-01
window = "14d"

[[steps]]
event = "Signed Up"

[[steps]]
any_of = ["Project Created", "File Uploaded"]
within = "7d"
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World.at(tmp_path)
    world.key()
    world.send(*registrations(4), track("Project Created", "2", "2026-02-01T01:00:02Z"))
    (tmp_path / "mine.toml").write_text(FILE)
    return world


def run(world: World, *arguments: str, status: int = 0, given: str | None = None) -> str:
    done = CliRunner().invoke(main, ["funnel", *arguments, "--data", str(world.settings.data)], input=given)
    assert done.exit_code == status, done.output
    return done.output


def test_a_file_is_answered_as_a_plain_table_where_there_is_no_terminal(world: World, tmp_path: Path) -> None:
    told = run(world, str(tmp_path / "mine.toml")).splitlines()
    assert [line.split() for line in told if line] == [
        ["step", "reached", "of", "start", "of", "previous", "dropped", "95%", "interval", "median", "time"],
        [told[1]],
        ["1", "Signed", "Up", "4", "100.0%", "–", "3", "51.0–100.0%", "–"],
        ["2", "Project", "Created", "or", "File", "Uploaded", "1", "25.0%", "25.0%", "0", "4.6–69.9%", "1", "h"],
        ["4", "entered", "·", "1", "converted", "·", "0", "pending", "·", "3", "lost"],
        ["of", "those", "whose", "window", "has", "closed,", "25.0%", "converted", "(1", "of", "4)"],
        ["warning:", "no", "event", "'File", "Uploaded'", "has", "ever", "occurred"],
    ]


def test_in_a_terminal_steps_have_bars_and_a_narrow_one_fewer_columns(world: World, tmp_path: Path) -> None:
    answer = json.loads(run(world, str(tmp_path / "mine.toml"), "--json"))
    for width, longest, heads in ((140, 28, True), (80, 14, False)):
        console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=width, highlight=False)
        page(answer, console)
        assert isinstance(console.file, io.StringIO)
        lines = console.file.getvalue().splitlines()
        assert [line.count("█") for line in lines if "█" in line] == [longest, longest // 4]
        assert ("95% interval" in lines[0]) is heads
        assert max(map(len, lines)) <= width


def test_json_is_the_answer_of_the_api_and_csv_its_rows(world: World, tmp_path: Path) -> None:
    question = {
        "steps": [{"event": "Signed Up"}, {"any_of": ["Project Created", "File Uploaded"], "within": "7d"}],
        "from": "2026-01-01",
        "to": "2026-03-01",
        "window": "14d",
    }
    with world.client() as client:
        expected = client.post("/api/funnel", json=question).json()
        client.post("/api/saved-funnels", json={"title": "Mine", "question": question})
    answer = json.loads(run(world, str(tmp_path / "mine.toml"), "--json"))
    assert answer["steps"] == expected["steps"]
    assert answer["definition"]["steps"] == expected["definition"]["steps"]
    assert json.loads(run(world, "mine", "--json"))["steps"] == expected["steps"]
    rows = [line.split(",")[:4] for line in run(world, "mine", "--csv").splitlines()]
    assert rows[1:] == [["", "1", "Signed Up", "4"], ["", "2", "Project Created or File Uploaded", "1"]]


def test_flags_say_the_range_and_the_groups_anew(world: World, tmp_path: Path) -> None:
    told = run(world, str(tmp_path / "mine.toml"), "--from", "2026-02-01T00:00:01Z", "--to", "2026-02-02", "--by", "source")
    assert "3 entered" in told
    assert ["test", "3", "1", "33.3%"] in [line.split()[:4] for line in told.splitlines()]


def test_a_funnel_over_stages_is_asked_by_its_name(world: World) -> None:
    world.build()
    assert ["1", "Registered", "4"] in [line.split()[:3] for line in run(world, "plg").splitlines()]


def test_what_is_wrong_is_told_with_its_path_what_was_found_and_what_is_allowed(world: World, tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(FILE.replace('"7d"', '"seven days"').replace("window", "windw"))
    told = run(world, str(file), status=2)
    assert told.startswith(f"Error: {file} cannot be answered\n  windw: unknown key; did you mean 'window'?")
    assert "  steps[1].within: within must be a duration" in told and 'found "seven days", allowed: 90s, 30m' in told
    file.write_text("steps = [")
    assert "is no TOML" in run(world, str(file), status=2)
    assert "cannot be read: No such file" in run(world, str(tmp_path / "none.toml"), status=2)
    assert "There is no funnel 'plgg'. Known: plg. A file's name ends with .toml or .json." in run(world, "plgg", status=1)
    file.write_text(FILE.replace("from = 2026-01-01", 'last = "2 months"').replace("to = 2026-03-01", ""))
    assert "last: a number of whole days" in run(world, str(file), status=2)


QUESTION = {
    "steps": [{"event": "Signed Up"}, {"event": "Project Created"}],
    "from": "2026-01-01",
    "to": "2026-03-01",
    "window": "14d",
    "as_of": None,
}


def test_a_request_may_be_json_of_a_file_or_of_standard_input_and_flags_say_any_key_anew(
    world: World, tmp_path: Path
) -> None:
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(QUESTION))
    expected = json.loads(run(world, str(tmp_path / "mine.toml"), "--json"))["entrants"]
    assert json.loads(run(world, str(file), "--json"))["entrants"] == expected
    assert json.loads(run(world, "-", "--json", given=json.dumps(QUESTION)))["entrants"] == expected
    assert json.loads(run(world, "-", "--json", given=FILE))["entrants"] == expected
    flags = ["--window", "2h", "--unit", "session", "--trend", "month", "--as-of", "2026-02-10", "--set", "order=any"]
    flags += ["--set", 'exclude=[{"event": "Task Completed"}]', "--by", "source"]
    told = json.loads(run(world, str(file), "--json", *flags))["definition"]
    names = ("window", "unit", "trend", "as_of", "order")
    assert [told[name] for name in names] == ["2h", "session", "month", "2026-02-10T00:00:00Z", "any"]
    assert told["exclude"][0]["event"] == "Task Completed"
    assert told["breakdown"]["by"] == ["source"]
    assert "write KEY=VALUE" in run(world, str(file), "--set", "order", status=2)
    assert "is no JSON" in run(world, "-", given="{", status=2)


def test_last_takes_the_place_of_the_range_of_a_file(world: World, tmp_path: Path) -> None:
    told = json.loads(run(world, str(tmp_path / "mine.toml"), "--json", "--last", "7d"))["definition"]
    assert told["from"] > "2026-03-01"


def test_a_trend_and_the_time_to_convert_are_told_as_well(world: World, tmp_path: Path) -> None:
    more = ("--trend", "month", "--set", 'time_to_convert={"bins": 2}')
    lines = run(world, str(tmp_path / "mine.toml"), *more).splitlines()
    assert "  time to convert: 1 h for half of 1" in lines
    assert ["2026-02-01", "4", "1", "25.0%", "0"] in [line.split() for line in lines]


def test_lists_explanations_and_drivers_of_a_question_are_asked_by_flags(world: World, tmp_path: Path) -> None:
    file = str(tmp_path / "mine.toml")
    listed = json.loads(run(world, file, "--list", "dropped", "--step", "1", "--limit", "2", "--json"))
    assert (listed["total"], len(listed["items"])) == (3, 2)
    lines = run(world, file, "--list", "converted").splitlines()
    assert [line.split()[:2] for line in lines if line][-2:] == [["user:2", "converted"], ["1", "of"]]
    why = [line.split() for line in run(world, file, "--explain", "2").splitlines() if line]
    assert [line[-2:] for line in why if "served" in line] == [["served", "1"], ["served", "2"]]
    assert why[-1][:4] == ["user:2:", "converted,", "reached", "2,"]
    assert "too few to tell drivers by" in run(world, file, "--drivers")
    assert run(world, file, "--list", "reached", status=2).splitlines()[1].startswith("  step: reached needs the number")
    assert "There is no person 'nobody'" in run(world, file, "--explain", "nobody", status=1)
    assert "do not go together" in run(world, file, "--drivers", "--explain", "2", status=2)
    assert "are of these alone" in run(world, "plg", "--drivers", status=2)


def test_bars_have_eighths_and_times_their_largest_unit() -> None:
    assert [bar(share, 4) for share in (None, 0.0, 0.5, 1.0, 1 / 32)] == ["", "", "██", "████", "▏"]
    assert [duration(seconds) for seconds in (None, 0.0, 90.0, 5400.0, 172800.0)] == ["–", "0 s", "1.5 min", "1.5 h", "2 d"]
