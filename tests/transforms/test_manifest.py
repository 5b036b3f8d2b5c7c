"""The manifest in force is complete or the one before."""

from dataclasses import replace
from pathlib import Path

import pytest

from ingest.lake import Lake
from tests.transforms.world import at
from transforms.errors import Overtaken
from transforms.manifest import Manifest, current, forget, next_number, publish, published

FIRST = Manifest(1, {"events": 7, "people": 3}, at(1), at(2, 30), "ab12")


@pytest.fixture(params=["", "file://"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """A local lake by its path and by its URL."""
    return Lake(f"{request.param}{tmp_path}/lake")


def test_there_is_none_before_the_first_build(lake: Lake) -> None:
    assert current(lake, "default") is None
    assert published(lake, "default") == []
    assert next_number(lake, "default") == 1


def test_what_is_published_is_in_force(lake: Lake) -> None:
    publish(lake, "default", FIRST)
    second = replace(FIRST, number=2, tables={"events": 8})
    assert current(lake, "default") == FIRST
    publish(lake, "default", second)
    assert current(lake, "default") == second
    assert published(lake, "default") == [FIRST, second]
    assert next_number(lake, "default") == 3


def test_projects_have_manifests_of_their_own(lake: Lake) -> None:
    publish(lake, "default", FIRST)
    assert current(lake, "other") is None


def test_a_number_is_taken_once(lake: Lake) -> None:
    publish(lake, "default", FIRST)
    with pytest.raises(Overtaken):
        publish(lake, "default", replace(FIRST, definition_version="cd34"))
    assert current(lake, "default") == FIRST


def test_old_manifests_are_forgotten_but_never_the_one_in_force(lake: Lake) -> None:
    for number in (1, 2, 3):
        publish(lake, "default", replace(FIRST, number=number, built_at=at(number)))
    assert forget(lake, "default", before=at(2)) == 1
    assert forget(lake, "default", before=at(100)) == 1
    assert [manifest.number for manifest in published(lake, "default")] == [3]
    assert next_number(lake, "default") == 4


def test_a_manifest_that_was_not_put_in_force_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(str(tmp_path))
    publish(lake, "default", FIRST)

    def die(self: Path, target: Path) -> None:
        raise OSError("the disk went")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="the disk went"):
        patched.setattr(Path, "replace", die)
        publish(lake, "default", replace(FIRST, number=2))
    assert current(lake, "default") == FIRST
    assert next_number(lake, "default") == 3


def test_files_are_plain_json_and_leave_no_draft(tmp_path: Path) -> None:
    publish(Lake(str(tmp_path)), "default", FIRST)
    folder = tmp_path / "default" / "_manifest"
    assert sorted(path.name for path in folder.iterdir()) == ["00000001.json", "current"]
    assert (folder / "current").read_text() == (folder / "00000001.json").read_text()
