"""The data folder: the name of everything below ``--data DIR``, once."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path


class Unusable(Exception):
    """The data folder cannot be made, or not be written to."""


@dataclass(frozen=True)
class DataFolder:
    """Paths only; nothing is created except by ``create``."""

    root: Path

    @property
    def store(self) -> Path:
        return self.root / "store.sqlite"

    @property
    def keys(self) -> Path:
        return self.root / "keys.json"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def imports(self) -> Path:
        """One folder per import that has not come to its end."""
        return self.root / "import"

    @property
    def index(self) -> Path:
        return self.root / "index"

    @property
    def lake(self) -> Path:
        return self.root / "lake"

    @property
    def work(self) -> Path:
        return self.root / "work.sqlite"

    @property
    def definitions(self) -> Path:
        return self.root / "definitions"

    @property
    def settings(self) -> Path:
        return self.root / "jcurve.toml"

    @property
    def tombstones(self) -> Path:
        return self.root / "forgotten.json"

    @property
    def forget(self) -> Path:
        """Requests to forget a person, until they are done."""
        return self.root / "forget"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def metrics(self) -> Path:
        """What the processes have counted since their start, a file each, for ``/metrics``."""
        return self.run / "metrics"

    @property
    def scratch(self) -> Path:
        """What engines and tidy spill, in folders that go with their process, or at the next one's start."""
        return self.root / "scratch"

    @property
    def cache(self) -> Path:
        """What can be made again."""
        return self.root / "cache"

    @property
    def socket(self) -> Path:
        """Where ``serve`` listens for the door; a deep folder's socket lies in the temporary one, as the name of a socket
        may have 107 bytes only."""
        own = self.run / "serve.sock"
        if len(os.fsencode(own)) <= 100:
            return own
        name = hashlib.sha256(os.fsencode(self.root.absolute())).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"jcurve-{os.getuid()}-{name}" / "serve.sock"

    @property
    def is_made(self) -> bool:
        """Whether ``create`` was here; a file of that name counts, so that ``create`` can say what is wrong with it."""
        return self.log.is_dir() or (self.root.exists() and not self.root.is_dir())

    def create(self) -> DataFolder:
        """Make the folder and its fixed subfolders, readable by their owner alone. Raises ``Unusable``."""
        for folder in (self.root, self.log, self.run, self.metrics, self.socket.parent):
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as error:
                raise Unusable(f"{folder} cannot be made ({error.strerror}); choose another with --data DIR") from None
            if not os.access(folder, os.W_OK | os.X_OK):
                raise Unusable(f"{folder} cannot be written to; change its rights, or choose another with --data DIR")
        return self
