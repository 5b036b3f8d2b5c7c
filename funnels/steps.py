"""The rows of a funnel's steps: who reached each, who went no further, and how long it took.

Required steps form the path: a rate "from the previous step" and a time "from the previous step" are over the required step
before, also where an optional one lies between. A required step is reached by a case whose level says so, an optional one by
a case whose witness took it. A case that did not convert dropped at the last step of its witness, which may be an optional
one, so ``dropped`` sums to entrants - converted over all steps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from funnels.kernel import Ints
from funnels.kernel.words import compiled
from funnels.match import CONVERTED, Outcome, Rules
from funnels.stats import ratio, spread, wilson

Json = dict[str, object]


def step_rows(outcome: Outcome, labels: Sequence[str], rules: Rules) -> list[Json]:
    """One row per step, over the cases of ``outcome``, whose witness is by time (``groups.in_time``)."""
    reached = [reached_by(outcome, step, rules) for step in range(outcome.steps)]
    counts = [int(np.count_nonzero(cases)) for cases in reached]
    dropped = np.bincount(last_steps(outcome, rules)[outcome.states != CONVERTED], minlength=outcome.steps)
    before = _previous(outcome.steps, rules)
    return [
        {
            "label": label,
            "reached": counts[step],
            "from_start": ratio(counts[step], counts[0]),
            "from_previous": None if previous is None else ratio(counts[step], counts[previous]),
            "interval": wilson(counts[step], counts[0]),
            "dropped": int(dropped[step]),
            "seconds_from_previous": None if previous is None else spread(seconds_between(outcome, previous, step)),
        }
        for step, (label, previous) in enumerate(zip(labels, before, strict=True))
    ]


def reached_by(outcome: Outcome, step: int, rules: Rules) -> NDArray[np.bool_]:
    """Per case, whether it reached a step, counted from 0."""
    if step in rules.optional:
        return outcome.witness[:, step] >= 0
    return outcome.levels > _required(outcome.steps, rules).index(step)


def last_steps(outcome: Outcome, rules: Rules) -> Ints:
    """Per case, the step at which its witness ends."""
    last: Ints = outcome.levels - 1
    if rules.optional:
        last = np.array(_required(outcome.steps, rules), np.int64)[last]
    for step in sorted(rules.optional):
        last = np.where(outcome.witness[:, step] >= 0, np.maximum(last, step), last)
    return last


def seconds_between(outcome: Outcome, start: int, end: int) -> NDArray[np.float64]:
    """From one step's event to a later one's, of the cases whose witness has both; a reversal within the tolerance is 0."""
    seconds = np.empty(len(outcome.witness), np.float64)
    return seconds[: _gaps(outcome.event_times, outcome.witness, start, end, seconds)]


@compiled
def _gaps(times: Ints, witness: Ints, start: int, end: int, seconds: NDArray[np.float64]) -> int:
    """How many there are; written out, since arrays between would cost more than the times."""
    count = 0
    for case in range(witness.shape[0]):
        one, other = witness[case, start], witness[case, end]
        if one >= 0 and other >= 0:
            seconds[count] = max(times[other] - times[one], 0) / 1e6
            count += 1
    return count


def _required(steps: int, rules: Rules) -> list[int]:
    return [step for step in range(steps) if step not in rules.optional]


def _previous(steps: int, rules: Rules) -> list[int | None]:
    required = _required(steps, rules)
    return [max((other for other in required if other < step), default=None) for step in range(steps)]
