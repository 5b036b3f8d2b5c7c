"""The presets that restate ClickHouse's ``windowFunnel``, against ClickHouse itself (chdb), on random streams."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import chdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from funnels.match import Outcome, Rules
from funnels.presets import match
from tests.funnels.presets.cases import streams_of
from tests.funnels.random_streams import as_rules, random_event
from tests.oracle import Event, Question

UNITS = 1500


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("clickhouse", "", {}),
        ("clickhouse", "strict_order", {"order": "strict"}),
        ("clickhouse", "strict_increase", {"ties": "strict"}),
        ("clickhouse:strict_deduplication", "strict_deduplication", {}),
        ("clickhouse:strict_once", "strict_once", {}),
        ("openpanel", "strict_increase", {}),
    ],
)
def test_levels_are_those_of_clickhouse(name: str, mode: str, options: dict[str, str], seed: int, tmp_path: Path) -> None:
    random = Random(f"{name} {seed}")
    steps = random.choice([2, 3, 4])
    plain = Question((None,) * steps, random.choice([2, 5, 9]), random.choice([0, 2]), random.choice([12, 40]), 1000)
    question = replace(plain, **options)  # type: ignore[arg-type]
    units = [strangers_apart(events_of_a_unit(question, random)) for _ in range(UNITS)]
    rules = as_rules(question)
    found = levels(match(name, streams_of(units, question), rules))
    assert found.tolist() == window_funnel(units, question, rules, mode, tmp_path / "events.parquet")
    assert {0, 1, 2} <= set(found.tolist())  # else the agreement says nothing


def events_of_a_unit(question: Question, random: Random) -> list[Event]:
    span = random.choice([4, 10, 20])
    return [random_event(question, 0, span, random) for _ in range(random.randint(1, 9))]


def strangers_apart(events: list[Event]) -> list[Event]:
    """Without those events that serve no step and share their instant with one that does: a preset cannot see them."""
    taken = {event.time for event in events if event.steps}
    return [event for event in events if event.steps or event.time not in taken]


def levels(outcome: Outcome) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    found = np.zeros(UNITS, np.int64)
    found[outcome.units] = outcome.levels
    return found


def window_funnel(units: list[list[Event]], question: Question, rules: Rules, mode: str, file: Path) -> list[int]:
    """One query for all units, with the range in its ``where``."""
    rows = [
        (unit, event.time * 1_000_000, sum(1 << step for step in event.steps))
        for unit, events in enumerate(units)
        for event in events
    ]
    columns = [pa.array(column, pa.uint64()) for column in zip(*rows, strict=True)]
    pq.write_table(pa.table(columns, names=["unit", "time", "mask"]), file)
    parameters = f"{question.window * 1_000_000}" + (f", '{mode}'" if mode else "")
    conditions = ", ".join(f"bitTest(mask, {step}) = 1" for step in range(len(question.withins)))
    query = f"""
        select unit, windowFunnel({parameters})(time, {conditions}) as level from file('{file}', Parquet)
        where time >= {question.start * 1_000_000} and time < {question.end * 1_000_000} group by unit"""
    found = dict.fromkeys(range(UNITS), 0)
    answer = chdb.query(query, "CSV")  # type: ignore[no-untyped-call]
    for line in str(answer).split():
        unit, level = line.split(",")
        found[int(unit)] = int(level)
    return list(found.values())
