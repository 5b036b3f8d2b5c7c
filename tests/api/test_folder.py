"""The data folder's names."""

import stat
from pathlib import Path

import pytest

from api.folder import DataFolder, Unusable


def test_the_folder_is_its_owners_alone(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data").create()
    assert stat.S_IMODE(folder.root.stat().st_mode) == 0o700
    assert folder.socket == tmp_path / "data" / "run" / "serve.sock"


def test_a_folder_that_cannot_be_made_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unusable, match=r"file cannot be made \(File exists\); choose another with --data DIR"):
        DataFolder(tmp_path / "file").create()


def test_a_deep_folder_keeps_its_socket_where_its_name_fits() -> None:
    deep, other = DataFolder(Path("/srv") / ("x" * 120)), DataFolder(Path("/srv") / ("y" * 120))
    assert len(str(deep.socket)) < 100 and deep.socket != other.socket
    assert deep.socket == DataFolder(Path("/srv") / ("x" * 120)).socket
