"""The matcher's inner loops, compiled by numba: serial, without the GIL, (nearly) linear in a unit's events.

- ``plain``: chains that differ in nothing but times, which most questions are about; ``apart``: these where no two events
  of a unit share an instant, which is nearly always so; made to be fast.
- ``chains``, ``chain_cases``: every rule for chains in time, order sequential or strict.
- ``any_order``, ``tolerance``: chains in any order, chains whose steps may go back in time; ``attempts`` of these.
- ``instant``: which steps the events of one instant can serve; ``cases``: what is asked and answered; ``words``.
"""

from funnels.kernel.words import (
    ALWAYS,
    CONVERTED,
    ENTRANTS,
    EXCLUDED,
    LOST,
    MAX_EXCLUSIONS,
    MAX_STEPS,
    NEVER,
    PENDING,
    Codes,
    Ints,
)

__all__ = [
    "ALWAYS",
    "CONVERTED",
    "ENTRANTS",
    "EXCLUDED",
    "LOST",
    "MAX_EXCLUSIONS",
    "MAX_STEPS",
    "NEVER",
    "PENDING",
    "Codes",
    "Ints",
]
