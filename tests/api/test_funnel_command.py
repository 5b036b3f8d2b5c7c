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


def run(world: World, *arguments: str, status: int = 0) -> str:
    done = CliRunner().invoke(main, ["funnel", *arguments, "--data", str(world.settings.data)])
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
    assert "There is no funnel 'plgg'. Known: plg. A file's name ends with .toml." in run(world, "plgg", status=1)
    file.write_text(FILE.replace("from = 2026-01-01", 'last = "2 months"').replace("to = 2026-03-01", ""))
    assert "last: a number of whole days" in run(world, str(file), status=2)


def test_bars_have_eighths_and_times_their_largest_unit() -> None:
    assert [bar(share, 4) for share in (None, 0.0, 0.5, 1.0, 1 / 32)] == ["", "", "██", "████", "▏"]
    assert [duration(seconds) for seconds in (None, 0.0, 90.0, 5400.0, 172800.0)] == ["–", "0 s", "1.5 min", "1.5 h", "2 d"]
