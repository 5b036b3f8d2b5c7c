"""``jcurve changes`` and ``GET /api/changes``: which numbers of past days moved, and why."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli import main
from tests.api.world import NOW, World, track


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World.at(tmp_path)
    world.send(track("Signed Up", "1", "2026-02-01T10:00:00Z"), track("Task Completed", "1", "2026-02-03T10:00:00Z"))
    world.build()
    world.send(track("Task Completed", "1", "2026-02-02T10:00:00Z"), received=datetime(2026, 2, 21, tzinfo=UTC))
    world.build()
    return world


def test_the_api_tells_the_numbers_with_their_reasons(world: World) -> None:
    with world.client() as client:
        found = client.get(f"/api/changes?since={NOW:%Y-%m-%d}").json()
        wrong = client.get("/api/changes?since=soon")
    told = [(one["number"], one["day"], one["before"], one["after"], one["why"]) for one in found["items"]]
    assert ("events", "2026-02-02", 0, 1, ["1 late event"]) in told
    assert wrong.status_code == 422


def test_the_command_tells_them_too_and_says_when_there_are_none(world: World) -> None:
    def run(since: str) -> str:
        return CliRunner().invoke(main, ["changes", "--data", str(world.settings.data), "--since", since]).output

    assert "  2026-02-02  events: 0 -> 1  (1 late event)\n" in run("2026-01-01")
    assert run("2026-05-01") == "No number of a past day moved since 2026-05-01.\n"
    assert "--since soon is no date" in run("soon")
    assert "--since 0001-01-01T00:00+14:00 is no date" in run("0001-01-01T00:00+14:00")
