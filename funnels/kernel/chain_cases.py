"""Cases of chains in time: the state and the witness of each span, and the attempts of a unit."""

from __future__ import annotations

from funnels.kernel.cases import Answer, Events, Rules, Spans, Units
from funnels.kernel.chains import (
    KEPT_TAU,
    TAU,
    UNENDED,
    VALUE,
    Board,
    barred_at,
    barred_here,
    comes_before,
    drop_all,
    empty_queues,
    find_witness,
    first_entry,
    instant_end,
    is_pending,
    lengthen,
    make_board,
    position,
    queue_up,
    reach,
    set_limits,
)
from funnels.kernel.instant import Room, find_runs, make_room
from funnels.kernel.words import ALWAYS, CONVERTED, EXCLUDED, LOST, NEVER, PENDING, Codes, compiled, copy_row, inner

LEVEL, LENGTH, ENTRY = 0, 1, 2  # rows of Board.found


@inner
def places_for(events: Events, lo: int, hi: int) -> int:
    """How many pairs the queues of a lane may hold."""
    places = 0
    for i in range(lo, hi):
        mask = events.masks[i]
        while mask:
            mask &= mask - 1
            places += 1
    return places


@compiled
def judge(events: Events, units: Units, spans: Spans, first: int, last: int, rules: Rules, answer: Answer) -> None:
    """Answer the spans first..last - 1."""
    places, longest, lanes = 1, 1, 1
    for n in range(first, last):
        u = spans.units[n]
        lanes = max(lanes, units.lanes[u + 1] - units.lanes[u])
        for k in range(units.lanes[u], units.lanes[u + 1]):
            lo, hi = events.offsets[k], events.offsets[k + 1]
            longest = max(longest, hi - lo)
            if (hi - lo) * rules.within.size > places:
                places = max(places, places_for(events, lo, hi))
    board = make_board(1, lanes, rules.within.size, places, longest)
    room = make_room(rules.within.size)
    for n in range(first, last):
        judge_one(events, units, spans, n, rules, room, board, answer)


@inner
def judge_one(
    events: Events, units: Units, spans: Spans, n: int, rules: Rules, room: Room, board: Board, answer: Answer
) -> None:
    u, start, end = spans.units[n], spans.starts[n], spans.ends[n]
    until = min(spans.limits[n], end - 1 + rules.window)
    level, length, entry, entered, pending = 0, ALWAYS, ALWAYS, ALWAYS, False
    for k in range(units.lanes[u], units.lanes[u + 1]):
        lo, hi = events.offsets[k], events.offsets[k + 1]
        hi = position(events.times, lo, hi, until + 1)
        found = board.found[:, k - units.lanes[u]]
        found[LEVEL], found[LENGTH], found[ENTRY], came, number = reach(events, lo, hi, start, end, rules, room, board)
        if found[LEVEL] == 0:
            continue
        entered = min(entered, came)
        if found[LEVEL] > level:
            level, length, entry = found[LEVEL], ALWAYS, ALWAYS
        if found[LEVEL] == level and (found[LENGTH] < length or (found[LENGTH] == length and found[ENTRY] < entry)):
            length, entry = found[LENGTH], found[ENTRY]
        if level < rules.rank[-1] and not pending and (not rules.strict or number == units.last_instant[u]):
            pending = is_pending(units.spent[u] if units.spent.size else 0, rules, board)
    if level == 0:
        return
    answer.levels[n], answer.entered[n] = level, entered
    answer.states[n] = LOST
    if level == rules.rank[-1]:
        answer.states[n] = CONVERTED
    elif pending:
        answer.states[n] = PENDING
    if answer.witness.shape[0] or (answer.states[n] == LOST and rules.since.size):
        barred = best_witness(events, units, spans, n, level, length, entry, rules, room, board)
        if answer.states[n] == LOST and barred != NEVER:
            answer.states[n], answer.barred[n] = EXCLUDED, barred
        if answer.witness.shape[0]:
            copy_row(board.chosen, 1, answer.witness, n)


@inner
def best_witness(
    events: Events,
    units: Units,
    spans: Spans,
    n: int,
    level: int,
    length: int,
    entry: int,
    rules: Rules,
    room: Room,
    board: Board,
) -> int:
    """Leave the smallest witness of all lanes in ``chosen[1]``; returns when an exclusion ended it, or NEVER."""
    u, start, end = spans.units[n], spans.starts[n], spans.ends[n]
    until = min(spans.limits[n], end - 1 + rules.window)
    final, barred, any_yet = 0, NEVER, False
    while rules.rank[final] < level:
        final += 1
    for k in range(units.lanes[u], units.lanes[u + 1]):
        found = board.found[:, k - units.lanes[u]]
        if found[LEVEL] != level:
            continue
        lo, hi = events.offsets[k], events.offsets[k + 1]
        hi = position(events.times, lo, hi, until + 1)
        s, bound = entry, entry + length
        if rules.shortest:
            if found[LENGTH] != length or found[ENTRY] != entry:
                continue
        else:
            s = first_entry(events, lo, hi, start, end, final, rules, room, board)
            bound = s + rules.window
        if any_yet and s > board.steps[KEPT_TAU, 0]:
            continue
        find_witness(events, lo, hi, s, bound, final, rules, room, board)
        if not any_yet or comes_before(rules, board):
            any_yet = True
            copy_row(board.steps, TAU, board.steps, KEPT_TAU)
            copy_row(board.chosen, 0, board.chosen, 1)
            barred = barred_at(events, lo, hi, rules, board)
    return barred


STAMP, NUMBER = 0, 1  # rows of find_attempts' lanes


@compiled
def find_attempts(
    events: Events,
    lanes: Codes,
    units: Units,
    spans: Spans,
    first: int,
    last: int,
    rules: Rules,
    found: Spans,
) -> int:
    """Split the spans first..last - 1 into attempts; returns how many.

    Here the events of a unit are together, by time and lane: ``events.offsets`` are by unit, ``lanes`` tells each one's
    (size 0: units are lanes).
    """
    places, most = 1, 1
    for n in range(first, last):
        u = spans.units[n]
        most = max(most, units.lanes[u + 1] - units.lanes[u])
        if (events.offsets[u + 1] - events.offsets[u]) * rules.within.size > places:
            places = max(places, places_for(events, events.offsets[u], events.offsets[u + 1]))
    board = make_board(most, most, rules.within.size, places, 1)
    room = make_room(rules.within.size)
    count = 0
    for n in range(first, last):
        count = split_one(events, lanes, units, spans, n, rules, room, board, found, count)
    return count


@inner
def record(u: int, start: int, newest: int, limit: int, found: Spans, count: int) -> int:
    found.units[count], found.starts[count], found.ends[count], found.limits[count] = u, start, newest + 1, limit
    return count + 1


@inner
def lay_all(events: Events, lanes: Codes, lo: int, hi: int, base_lane: int, count: int, board: Board) -> None:
    """Empty queues for all lanes of a unit."""
    steps = board.steps.shape[1]
    board.lanes[:count, 1, :] = 0
    for i in range(lo, hi):
        k = lanes[i] - base_lane if lanes.size else 0
        for a in range(steps):
            board.lanes[k, 1, a] += events.masks[i] >> a & 1
    base = 0
    for k in range(count):
        for a in range(steps):
            board.lanes[k, 0, a] = base
            base += board.lanes[k, 1, a]
            board.lanes[k, 1, a] = board.lanes[k, 0, a]
    board.found[:, :] = -2


@inner
def enter_lane(k: int, attempt: int, board: Board) -> None:
    """A lane that this attempt has not touched yet starts empty."""
    if board.found[STAMP, k] != attempt:
        board.found[STAMP, k], board.found[NUMBER, k] = attempt, -2
        drop_all(k, board)
        board.lanes[k, UNENDED, :] = 0


@inner
def has_unended(attempt: int, count: int, guard: int, board: Board) -> int:
    """A lane with a chain that no exclusion has ended, the last one found first; -1 if there is none."""
    for n in range(-1, count):
        k = guard if n < 0 else n
        if board.found[STAMP, k] == attempt:
            for a in range(board.steps.shape[1]):
                if board.lanes[k, UNENDED, a]:
                    return k
    return -1


@inner
def advance(
    events: Events, i: int, j: int, k: int, fresh: bool, attempt: int, rules: Rules, room: Room, board: Board
) -> bool:
    """Lengthen the chains of a lane at an instant, or (``fresh``) begin new ones; did one convert?"""
    enter_lane(k, attempt, board)
    t, bars = events.times[i], barred_here(events, i, j)
    set_limits(bars, rules, board)
    available = find_runs(events.masks, i, j, -1 if fresh else ~1, rules.optional, rules.apart, room)
    if rules.strict and not fresh and events.instants[i] != board.found[NUMBER, k] + 1:
        drop_all(k, board)
    lengthen(k, t, available & 1 if fresh else available, fresh, rules, room, board)
    if not fresh:
        if rules.strict:
            drop_all(k, board)
        empty_queues(k, bars, rules, board)
    if rules.strict:
        board.found[NUMBER, k] = events.instants[i]
    queue_up(k, t, board)
    return bool(board.steps[VALUE, rules.within.size - 1] != NEVER)


@inner
def advance_all(
    events: Events,
    lanes: Codes,
    i: int,
    after: int,
    base_lane: int,
    fresh: bool,
    attempt: int,
    rules: Rules,
    room: Room,
    board: Board,
) -> bool:
    converted = False
    while i < after:
        j = i + 1
        while j < after and (not lanes.size or lanes[j] == lanes[i]):
            j += 1
        k = lanes[i] - base_lane if lanes.size else 0
        converted |= advance(events, i, j, k, fresh, attempt, rules, room, board)
        i = j
    return converted


@inner
def split_one(
    events: Events,
    lanes: Codes,
    units: Units,
    spans: Spans,
    n: int,
    rules: Rules,
    room: Room,
    board: Board,
    found: Spans,
    count: int,
) -> int:
    u, end, limit = spans.units[n], spans.ends[n], spans.limits[n]
    hi = position(events.times, events.offsets[u], events.offsets[u + 1], min(limit, end - 1 + rules.window) + 1)
    i = position(events.times, events.offsets[u], hi, spans.starts[n])
    base_lane, many = units.lanes[u], units.lanes[u + 1] - units.lanes[u]
    lay_all(events, lanes, i, hi, base_lane, many, board)
    is_open, opened, newest, attempt, guard = False, NEVER, NEVER, 0, 0
    while i < hi:
        t = events.times[i]
        after = instant_end(events.times, i, hi)
        if is_open and t > newest + rules.window:
            count = record(u, opened, newest, limit, found, count)
            is_open = False
        enters = False
        for j in range(i, after):
            enters |= t < end and events.masks[j] & 1 != 0
        converted = is_open and advance_all(events, lanes, i, after, base_lane, False, attempt, rules, room, board)
        if enters and not converted:
            if is_open and rules.since.size:
                guard = has_unended(attempt, many, guard, board)
                if guard < 0:
                    count = record(u, opened, newest, limit, found, count)
                    is_open, guard = False, 0
            if not is_open:
                is_open, opened, attempt = True, t, attempt + 1
            converted = advance_all(events, lanes, i, after, base_lane, True, attempt, rules, room, board)
        if enters:
            newest = t
        if converted:
            count = record(u, opened, newest, t, found, count)
            is_open = False
        i = after
    return record(u, opened, newest, limit, found, count) if is_open else count
