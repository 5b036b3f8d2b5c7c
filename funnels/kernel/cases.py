"""What is asked of the compiled loops, and what they answer: one case per *span*.

A span is a unit with a range of entries: the question's own, that of the mature figures, a bucket, an attempt.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from funnels.kernel.words import Codes, Ints


class Events(NamedTuple):
    """Ordered by lane and time. A lane holds the events of a unit that a chain may use together."""

    times: Ints
    masks: Ints
    bars: Ints  # size 0: no exclusions
    instants: Codes  # size 0: not strict
    offsets: Ints  # lane k's events are offsets[k] to offsets[k + 1] - 1
    rows: Ints  # their places among all events; size 0: these are all, in the same order


class Units(NamedTuple):
    """Unit u's lanes are ``lanes[u]`` to ``lanes[u + 1] - 1``."""

    lanes: Ints
    last_instant: Codes  # size 0: not strict
    spent: Ints  # size 0: nothing is


class Rules(NamedTuple):
    """One question in numbers."""

    within: Ints  # per step: the longest gap to the matched step before; ALWAYS where there is none, and for step 0
    window: int
    as_of: int
    strict: bool  # no other event of the unit between two neighbours
    apart: bool  # ties strict: no two steps at one instant
    shortest: bool
    first: bool  # re-entry first: the span's first entry is the only one
    tolerance: int
    optional: int  # bits
    before: Ints  # per step: the nearest required step before it, so the steps before[a] to a - 1 may come before it
    behind: (
        Ints  # per step: the nearest required step behind it, so a + 1 to behind[a] may follow; the last step's is itself
    )
    rank: Ints  # per step: how many required steps there are up to it
    since: Ints  # per exclusion: its step ``after``
    until: Ints  # per exclusion: its step ``before``


class Spans(NamedTuple):
    """Parallel arrays: whose entries in [start, end), and until when events count, inclusive."""

    units: Ints
    starts: Ints
    ends: Ints
    limits: Ints


class Answer(NamedTuple):
    """Per span; a span without an entry has level 0 and state 0."""

    levels: Ints
    states: NDArray[np.int8]
    entered: Ints
    barred: Ints
    witness: Ints  # (spans, steps) rows; shape (0, steps) where it is not asked for
