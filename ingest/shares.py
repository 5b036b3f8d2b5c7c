"""Memory that many share: how much each may hold while others want some, too.

A holder gets at most three times what is left free (the dynamic threshold of Choudhury and Hahne, 1998): a flood by one
sender leaves a quarter of the memory to all others, floods by two leave a seventh, and nobody has to be known beforehand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from typing import Final

_TIMES: Final = 3


class Shares:
    """Not safe between threads: its owner holds a lock, or is one event loop."""

    def __init__(self, limit: int) -> None:
        """``limit``: bytes held by all together."""
        self._limit = limit
        self._held: dict[Hashable, int] = defaultdict(int)
        self.total = 0

    def take(self, who: Hashable, size: int) -> bool:
        """Whether ``who`` got ``size`` bytes more. Where nobody holds any, it may be more than the limit."""
        free = self._limit - self.total
        if self.total and (size > free or self._held.get(who, 0) + size > _TIMES * free):
            return False
        self._held[who] += size
        self.total += size
        return True

    def give_back(self, who: Hashable, size: int) -> None:
        self.total -= size
        self._held[who] -= size
        if not self._held[who]:
            del self._held[who]
