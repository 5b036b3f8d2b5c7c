"""The data folder's names."""

import stat
from pathlib import Path

from api.folder import DataFolder


def test_the_folder_is_its_owners_alone(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data").create()
    assert stat.S_IMODE(folder.root.stat().st_mode) == 0o700
    assert folder.socket == tmp_path / "data" / "run" / "serve.sock"


def test_a_deep_folder_keeps_its_socket_where_its_name_fits() -> None:
    deep, other = DataFolder(Path("/srv") / ("x" * 120)), DataFolder(Path("/srv") / ("y" * 120))
    assert len(str(deep.socket)) < 100 and deep.socket != other.socket
    assert deep.socket == DataFolder(Path("/srv") / ("x" * 120)).socket
