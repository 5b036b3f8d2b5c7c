"""Small files are complete or absent, in a folder as in an object store."""

from pathlib import Path

import pytest

from ingest.lake import Lake
from transforms.small_files import Bucket, Folder, SmallFiles, small_files


@pytest.fixture(params=["folder", "bucket"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> SmallFiles:
    return Folder(tmp_path) if request.param == "folder" else Bucket(f"file://{tmp_path}")


def test_a_file_that_is_not_there_reads_as_none(files: SmallFiles) -> None:
    assert files.read("current") is None
    assert files.numbers() == []


def test_what_is_replaced_is_read(files: SmallFiles) -> None:
    files.replace("current", b"old")
    files.replace("current", b"new")
    assert files.read("current") == b"new"


def test_a_name_is_created_once(files: SmallFiles) -> None:
    assert files.create("00000001.json", b"first")
    assert not files.create("00000001.json", b"second")
    assert files.read("00000001.json") == b"first"


def test_numbers_rise_and_go_when_removed(files: SmallFiles) -> None:
    for number in (10, 9, 100):
        files.create(f"{number:08d}.json", b"{}")
    files.replace("current", b"{}")
    assert files.numbers() == [9, 10, 100]
    files.remove("00000010.json")
    assert files.numbers() == [9, 100]


def test_the_lake_says_which_kind_it_needs() -> None:
    assert small_files(Lake("/data/lake"), "p", "_manifest") == Folder(Path("/data/lake/p/_manifest"))
    assert small_files(Lake("file:///a%20b/lake"), "p", "_manifest") == Folder(Path("/a b/lake/p/_manifest"))
    remote = Lake("s3://bucket/lake", {"region": "eu"})
    assert small_files(remote, "p", "_manifest") == Bucket("s3://bucket/lake/p/_manifest", (("region", "eu"),))
