"""The numbers of a metric's answer: one shape for the whole, for a period and for a group.

A figure without a value has a reason instead: ``no_base`` (nobody to count over), ``immature`` (nobody old enough, or
no period over yet). Never 0 for "unknown", never an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True)
class Figure:
    value: float | int | None
    numerator: int | None = None
    denominator: int | None = None
    interval: tuple[float, float] | None = None  # 95 %
    reason: str | None = None

    def as_json(self) -> dict[str, object]:
        return {
            "value": self.value,
            "numerator": self.numerator,
            "denominator": self.denominator,
            "interval": None if self.interval is None else list(self.interval),
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Point:
    """The figure of one period, called by its first day; ``complete``: nothing can change it but late events."""

    start: date
    figure: Figure
    complete: bool

    def as_json(self) -> dict[str, object]:
        return {"start": self.start.isoformat(), **self.figure.as_json(), "complete": self.complete}


@dataclass(frozen=True)
class Group:
    values: tuple[str | None, ...]
    figure: Figure

    def as_json(self) -> dict[str, object]:
        return {"values": list(self.values), **self.figure.as_json()}


@dataclass(frozen=True)
class Measured:
    """Everything measured for one question; ``previous`` is None where no comparison was asked for."""

    whole: Figure
    parts: Mapping[str, float | None] = field(default_factory=dict)
    series: tuple[Point, ...] = ()
    groups: tuple[Group, ...] = ()
    previous: Figure | None = None
    internal_left_out: int = 0  # people where stages are read, else events of the range

    def as_json(self) -> dict[str, object]:
        return {
            **self.whole.as_json(),
            "parts": dict(self.parts),
            "series": [point.as_json() for point in self.series],
            "groups": [group.as_json() for group in self.groups],
            "previous": None if self.previous is None else {"value": self.previous.value, "change": self.change},
        }

    @property
    def change(self) -> float | int | None:
        """The difference to the previous value, in the metric's own unit."""
        if self.whole.value is None or self.previous is None or self.previous.value is None:
            return None
        return self.whole.value - self.previous.value
