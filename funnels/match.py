"""The funnel's definition, and the matcher's door: streams of units and rules in, one outcome per case out.

Raw events and stage tables both come as ``Streams``; every number shown of a funnel is read from one ``Outcome``.
``kernel`` computes what stands here in (nearly) linear time; ``tests/oracle.py`` reads it literally, and the two must agree.

1. Words. A *unit* is who is counted: a person, an account or a session; events without one are left out and their number is
   told. A unit's *stream* is its events, each event id once, by time, at one instant by id. A *chain* is distinct events
   that match steps in the steps' order, leaving out none but optional ones; its first event matches step 1 and is the
   *entry*; it ends with a step that it matched. One event serves one step of a chain at most; every beginning of a valid
   chain is valid. A unit's *level* is the largest number of required steps that a valid chain matches. That such a chain
   exists is meant literally: no greedy reading may undercount it.
2. Validity.
   - Order. ``sequential``: times do not fall along a chain, as ties allow. ``strict``: and no other event of the unit,
     whatever its name and values, lies in time strictly between two neighbours of the chain. ``any``: distinct steps in any
     order; the entry is the chain's earliest event, whichever step it serves, so every event that serves a step may enter;
     there are no optional steps, no ``within``, and ties are of no account.
   - Ties. ``in_order``: events at one instant may be taken in any order, so within an instant steps and events are matched
     as a bipartite graph. ``strict``: each step is later than the one before. A tolerance: a step may be earlier than the
     matched step before it, by at most so much, and so even lie before the range; sequential only, without exclusions, and
     an event then serves one step at most.
   - Window. From the entry to any later event passes at most the window; from the matched step before to a step at most its
     ``within``, where it has one. Both are inclusive and elapsed time, not calendar days.
   - Hold constant. All events of a chain have the same values held, none of them null. Only exclusions with these values
     count for it.
   - Exclusions. No excluded event lies strictly after the chain's step ``after`` and strictly before its step ``before``,
     or before its last one if it has not come so far (order any: strictly between its first and last event). So a chain
     that meets one ends there; what it had reached stays. Only times are compared: an event that serves the chain may end
     it, and what happens at the same instant as a step does not lie behind it.
   - First ever. Only the unit's first event in all history among a step's names, before any filter, can serve it.
   - Re-entry. ``any``: each entry in range may begin a chain. ``first``: only one event may, the unit's first entry in the
     whole range (whose held values are not null), also where the mature figures or a bucket look at a part of it.
3. Ranges and states. An entry counts if it lies in [from, to); later steps count until the window ends, also after ``to``,
   but not after ``as_of`` (events at that very moment count). A case that entered is in the first of these states that
   holds:
   - *converted*: a chain matches all required steps.
   - *pending*: events after ``as_of`` could still complete a chain. Its window ends later, and so does the ``within`` of
     some step that may come next (the next required one, or an optional one before it) and is not spent; no required step
     to come is a spent first-ever one; no exclusion has ended it; order strict: no event of the unit has come after it.
     (Any order: window and exclusions alike, and the spent steps are served from its entry on.)
   - *excluded*: an exclusion ended the witness, no later than its window and the ``within`` of some step that might have
     come next. *Barred* is the time of the first such event.
   - *lost*. The four partition the entrants. *Mature* figures are the same funnel over entries whose window has closed,
     which leaves nobody pending.
4. The witness. Times, attribution and lists come from one chain per case, of those of its level. ``earliest``: the one with
   the lexicographically smallest times over the required steps, then over the optional ones (one left out sorts last).
   ``shortest``: the smallest time from the entry to the last event, optional or not, then the earliest. Of the same times
   the smallest event ids, compared in the same order. In any order, times and then ids are compared in the order of the
   chain, and at last each event in turn has the smallest step that leaves the others theirs.
5. Counting. ``units``: a case is a unit. ``attempts``: an entry in range opens an attempt when none is open, and a later
   one renews its window and belongs to it. It converts with the first chain begun in it that does (a chain is complete at
   the latest time among its events), and chains beyond that moment are not its own. Else it ends with its last window, or
   at the first excluded event by which exclusions have ended every chain begun before; what the window or a ``within``
   ended does not count as ended by one. The next attempt's entry comes strictly after a conversion or a window's end, and
   not before such an excluded event. So a unit converts if and only if one of its attempts does. Attempts are a unit's,
   whatever values are held. A bucket of the trend is a funnel of its own over the entries in it: so a closed bucket never
   changes, and a unit with entries in two buckets stands in both.
6. Filters: ``funnels.filters``. 7. The question: ``funnels.request``; the answer: ``funnels.result``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from funnels.cases import match_plainly, match_spans, ready
from funnels.kernel import CONVERTED, EXCLUDED, LOST, MAX_EXCLUSIONS, MAX_STEPS, NEVER, PENDING, Codes
from funnels.rules import Exclusion, Outcome, Rules, Streams, Tally, microseconds

__all__ = [
    "CONVERTED",
    "EXCLUDED",
    "LOST",
    "NEVER",
    "PENDING",
    "Codes",
    "Exclusion",
    "Outcome",
    "Rules",
    "Streams",
    "Tally",
    "match_streams",
    "microseconds",
    "warm",
]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def match_streams(streams: Streams, rules: Rules) -> Outcome:
    """Match every unit of ``streams``; linear in events, on threads of the matcher's own."""
    _check(streams, rules)
    streams = ready(streams)
    return match_plainly(streams, rules) if _is_plain(streams, rules) else match_spans(streams, rules)


def _is_plain(streams: Streams, rules: Rules) -> bool:
    """Do chains differ in nothing but times? Then a simpler loop answers the same, sooner."""
    same = (rules.order, rules.ties, rules.witness, rules.count) == ("sequential", "in_order", "earliest", "units")
    return same and not (rules.optional or rules.exclusions or streams.held.size or streams.spent.any())


def warm() -> None:
    """Compile the matcher's loops, or load them from numba's cache, so that no reader waits for them.

    The first time takes about a minute of one core, the plain questions first; later ones half a second.
    """
    start, end = _EPOCH, _EPOCH + timedelta(days=2)
    codes, none = np.zeros(2, np.int32), np.zeros(2, np.int64)
    streams = Streams(
        codes, none, np.array([1, 2], np.int64), 1, instants=codes, last_instant=codes[:1], spent=none[:1], bars=none
    )
    plain = Rules((None, None), timedelta(days=1), start, end, end, (start, end))
    match_streams(streams, plain)
    for rules in (
        replace(plain, ties="strict"),
        replace(plain, order="any"),
        replace(plain, ties=timedelta(seconds=2)),
        replace(plain, ties="strict", count="attempts"),
        replace(plain, order="any", count="attempts"),
    ):
        match_streams(streams, rules)


def _check(streams: Streams, rules: Rules) -> None:
    steps = len(rules.withins)
    if not 1 <= steps <= MAX_STEPS:
        raise ValueError(f"a funnel has 1 to {MAX_STEPS} steps, not {steps}")
    if rules.edges and not (rules.edges[0] <= rules.start and rules.end <= rules.edges[-1]):
        raise ValueError("the trend's buckets do not cover the range of entries")
    if len(rules.exclusions) > MAX_EXCLUSIONS:
        raise ValueError(f"a funnel has at most {MAX_EXCLUSIONS} exclusions, not {len(rules.exclusions)}")
    if not rules.optional <= set(range(1, steps - 1)):
        raise ValueError("neither the first nor the last step may be optional")
    required = set(range(steps)) - rules.optional
    if any(not one.after < one.before or not {one.after, one.before} <= required for one in rules.exclusions):
        raise ValueError("an exclusion lies after one required step and before a later one")
    if rules.exclusions and streams.bars.size != streams.times.size:
        raise ValueError("exclusions need Streams.bars")
    if rules.order == "strict" and streams.instants.size != streams.times.size:
        raise ValueError("order strict needs Streams.instants and Streams.last_instant")
    if rules.order == "any" and (rules.optional or any(rules.withins[1:])):
        raise ValueError("order any has no optional steps and no within")
    if isinstance(rules.ties, timedelta):
        if rules.order != "sequential" or rules.exclusions:
            raise ValueError("a tolerance needs order sequential and no exclusions")
        if (streams.masks & (streams.masks - 1)).any():
            raise ValueError("a tolerance needs steps that cannot match the same event")
