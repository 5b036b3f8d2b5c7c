"""The demo's data folder: made anew each time, and only ever removed if a demo made it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from api.folder import DataFolder
from api.locks import claim

_MARK: Final = "made-by-jcurve-demo"


class NotOurs(Exception):
    """The folder holds something that no demo made."""


def fresh(path: Path) -> DataFolder:
    """An empty data folder at ``path``. Raises ``NotOurs``, or ``locks.InUse`` while another demo serves from it."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        if not (path / _MARK).is_file():
            raise NotOurs(f"{path} exists and was not made by a demo; choose another with --data DIR, or remove it")
        if (run := DataFolder(path).run).is_dir():
            os.close(claim(run / "collect.lock"))
        shutil.rmtree(path)
    folder = DataFolder(path).create()
    (path / _MARK).write_text("A demo's data: the next `jcurve demo` with this folder removes it.\n")
    return folder
