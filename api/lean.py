"""A process without a library that none of its code calls.

pyarrow imports pandas wherever that is installed, at its first look at a Python list, to tell whether it was given a data
frame: 36 MB and a fifth of a second in each role. Without it pyarrow does the same for whatever is no data frame.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

_UNUSED: Final = frozenset({"pandas"})


class _Absent(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name in _UNUSED:
            raise ModuleNotFoundError(f"{name} is left out of this process", name=name)
        return None


def without_unused() -> None:
    """For this process, from now on: what nothing here calls is as if it were not installed."""
    sys.meta_path.insert(0, _Absent())
