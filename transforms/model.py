"""A model: a query with what it is given, and, where it can be repaired, which of its keys are stale and what they need.

``stale`` and ``narrow`` are SQL. They read the lake and the stored tables as ``base.<name>``, already repaired where they
come before the model, and what moved:

    moved_events        rows of events gained (``came``) and lost since the build in force
    moved               what repairs read of these, with ``person_id`` and ``person``
    went_<table>, came_<table>, changed_<table>
                        rows of a stored table that a repair took out, put in, and both; none of a table that was kept
    rejoined, spans, day_spans, stale_events
                        persons whose ids changed hands, and what of whose days is made again (``spans.py``)

``stale`` has a row per key to be made again: of a model by subject ``<key>``, of one by day ``<key>, since, until``
(inclusive, of the type of its time or day). ``narrow`` gives, for relations that the model or its own relations read, the
rows that these keys need; they are made in the order given, and may read ``stale`` and each other (``narrow.<name>``); a
name that only they read is made, too. ``in ({<number> of <relation>})`` stands for ``in (select <number> from <relation>)``,
and for the numbers themselves where a scan is better told these (``Engine.listed``).

A model by day that is filled from nothing, month by month, has ``filling`` in their place where it is to read what the month
made, ``came_<table>``, and not to look for it in the table; ``spans``, ``day_spans`` and ``border`` tell then what reaches
over from the months before (``spans.prepare_part``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from sql.loader import Query
from transforms.engine import Engine
from transforms.errors import ModelFailed
from transforms.tables import TABLES

Inputs = Callable[[Engine], Mapping[str, pa.Table]]
Prepare = Callable[[Engine], object]


@dataclass(frozen=True)
class Model:
    """A query with its parameters, and relations that must be bound before it runs.

    A query of kind 'relation' is not stored, only bound for the models after it. Without ``stale`` it is made whole whenever
    anything it reads moved; one of kind 'whole' with ``stale`` where that has a row.
    """

    query: Query
    params: Mapping[str, object] = field(default_factory=dict)
    inputs: Inputs | None = None
    stale: str | None = None
    narrow: Mapping[str, str] = field(default_factory=dict)
    prepare: Prepare | None = None  # makes relations that ``stale`` reads; once, though several models name it
    filling: Mapping[str, str] = field(default_factory=dict)  # by day: ``stale`` and ``narrow`` where a fill has others
    given: str = ""  # what else its making depends on: where that changes, it is made whole


def make(engine: Engine, model: Model) -> pa.Table:
    """The rows of one model in the order of its grain; they are bound under its name for the models after it."""
    query = model.query
    try:
        for name, relation in (model.inputs(engine) if model.inputs else {}).items():
            engine.bind(name, relation)
        rows = engine.table(query.text, model.params)
        if query.kind != "relation":
            rows = rows.sort_by([(column, "ascending") for column in query.grain])
            rows = rows.select(TABLES[query.name].names).cast(TABLES[query.name])
    except Exception as error:
        raise ModelFailed(query.name, error) from error
    engine.bind(query.name, rows)
    return rows
