"""Names that are asked for and do not exist."""

from __future__ import annotations

from collections.abc import Iterable

from funnels.errors import FunnelError, suggestion


class UnknownName(FunnelError):
    """There is no such funnel, metric or stage: ``known`` holds the names there are. An API answers 404."""

    def __init__(self, noun: str, found: str, known: Iterable[str]) -> None:
        self.noun, self.found, self.known = noun, found, tuple(known)
        self.hint = suggestion(found, self.known).removeprefix("; ")
        super().__init__(f"There is no {noun} '{found}'. Known: {', '.join(self.known) or 'none'}.")
