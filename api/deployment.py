"""What the deployment looks like from outside the data: its definitions as they stand in their folder, its projects."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from api.store import Project, Store
from funnels.definitions.definition import Definitions
from funnels.definitions.load import load
from funnels.definitions.written import DefinitionError

logger = logging.getLogger(__name__)

Stamp = tuple[tuple[str, int, int], ...]


class CurrentDefinitions:
    """``definitions()`` reads the folder anew where a file changed; a faulty change leaves the last good ones in force.

    Raises ``DefinitionError`` only where there are no good ones yet.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._stamp: Stamp | None = None
        self._good: Definitions | None = None

    def __call__(self) -> Definitions:
        with self._lock:
            stamp = tuple((p.name, (s := p.stat()).st_mtime_ns, s.st_size) for p in sorted(self._folder.glob("*.toml")))
            if self._good is None or stamp != self._stamp:
                self._read()
                self._stamp = stamp
            assert self._good is not None
            return self._good

    def _read(self) -> None:
        try:
            self._good = load(self._folder)
        except DefinitionError as error:
            if self._good is None:
                raise
            logger.error("the changed definitions have a fault; those read before stay in force\n%s", error)


class Projects:
    """Projects by name; those read once are known even while the store is away."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Project] = {}

    def __call__(self, name: str) -> Project:
        if name not in self._known:
            self._known[name] = self._store.project(name)
        return self._known[name]
