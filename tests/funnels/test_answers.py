"""Answers are kept for the same question over the same data, and for nothing else."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from funnels.adhoc import Source, answer_of
from funnels.answers import FRESH, Answers
from funnels.ask import Funnel
from funnels.definitions.definition import Internal
from funnels.request import parse
from funnels.steps import Json
from tests.funnels.world import did
from tests.transforms.world import lake_of
from transforms.manifest import Manifest

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
BODY: Final[dict[str, Any]] = {"steps": [{"event": "A"}], "from": "2026-01-01", "to": "2026-02-01", "window": "7d"}


class Work:
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, source: Source, request: Funnel) -> Json:
        self.asked += 1
        return answer_of(source, request)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    lake = lake_of(tmp_path_factory.mktemp("answers"), [did("ann", "A", datetime(2026, 1, 5, tzinfo=UTC))])
    return Source(lake, "default", lake.version("default", "events"), NOON, None, ledger=None)


def test_the_same_question_is_worked_out_once(source: Source) -> None:
    answers, work = Answers(), Work()
    one, other = (answers.of(source, parse(BODY), work) for _ in range(2))
    assert (work.asked, one) == (1, other)


def test_whatever_an_answer_is_made_from_makes_another_one(source: Source) -> None:
    answers, work = Answers(), Work()
    flags = [{"property": "properties.n", "op": "eq", "value": value} for value in (1, 1.0, True, "1")]
    requests = [parse(BODY), *(parse({**BODY, "where": [flag]}) for flag in flags), parse({**BODY, "window": "6d"})]
    sources = [
        replace(source, manifest=Manifest(1, {}, NOON, NOON, "")),
        replace(source, internal=Internal(ids=("user:ann",))),
        replace(source, limits=replace(source.limits, threads=1)),  # changes no answer
    ]
    for request in requests:
        answers.of(source, request, work)
    assert work.asked == len(requests)
    for one in sources:
        answers.of(one, requests[0], work)
    assert work.asked == len(requests) + 2


def test_when_the_last_window_has_closed_time_changes_nothing_but_what_is_told_of_it(source: Source) -> None:
    answers, work = Answers(), Work()
    answers.of(source, parse(BODY), work)
    later = replace(source, complete_until=NOON + timedelta(days=30))
    assert answers.of(later, parse(BODY), work) == answer_of(later, parse(BODY))
    assert work.asked == 1


def test_while_a_window_is_open_an_answer_holds_for_a_minute_and_says_of_when_it_is(source: Source) -> None:
    answers, work = Answers(), Work()
    request = parse({**BODY, "to": "2026-03-05"})
    first = answers.of(source, request, work)
    soon, late = (replace(source, complete_until=NOON + wait) for wait in (FRESH - timedelta(seconds=1), FRESH))
    assert answers.of(soon, request, work) == first
    assert first["as_of"] == "2026-03-01T12:00:00Z"
    assert (answers.of(late, request, work)["as_of"], work.asked) == ("2026-03-01T12:01:00Z", 2)


def test_a_moment_that_is_asked_for_is_kept_for_ever_and_one_to_come_is_not(source: Source) -> None:
    answers, work = Answers(), Work()
    past, future = (parse({**BODY, "to": "2026-03-05", "as_of": f"2026-03-0{day}"}) for day in (1, 9))
    for wait in (0, 3):
        for request in (past, future):
            answers.of(replace(source, complete_until=NOON + wait * FRESH), request, work)
    assert work.asked == 3


def test_what_was_not_asked_for_the_longest_goes_when_there_is_no_room(source: Source) -> None:
    requests = [parse({**BODY, "window": f"{days}d"}) for days in (1, 2, 3, 4)]
    size = 8 * 3 * 1_000
    answers, work = Answers(size), Work()
    for request in requests * 30:
        answers.of(source, request, work)
    assert work.asked == len(requests)
    small, work = Answers(100), Work()
    for _ in range(2):
        small.of(source, requests[0], work)
    assert work.asked == 2


def test_who_asks_while_another_works_on_it_waits_for_that_answer(source: Source) -> None:
    answers, begun, go_on, work = Answers(), threading.Event(), threading.Event(), Work()

    def slow(source: Source, request: Funnel) -> Json:
        begun.set()
        go_on.wait(10)
        return work(source, request)

    found: list[Json] = []
    threads = [threading.Thread(target=lambda: found.append(answers.of(source, parse(BODY), slow))) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    go_on.set()
    for thread in threads:
        thread.join()
    assert (len(found), work.asked) == (5, 1)


def test_a_question_that_failed_is_worked_out_again(source: Source, tmp_path: Path) -> None:
    answers, work = Answers(), Work()

    def broken(source: Source, request: Funnel) -> Json:
        raise MemoryError

    with pytest.raises(MemoryError):
        answers.of(source, parse(BODY), broken)
    assert answers.of(source, parse(BODY), work)["entrants"] == 1
