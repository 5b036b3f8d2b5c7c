"""Rows of ``stages`` -> streams for the matcher: each subject's first entries into a funnel's stages, in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from funnels.definitions.definition import Subject
from funnels.groups import Values
from funnels.kernel import Ints
from funnels.match import Streams
from transforms.engine import Engine

READS: Final = ("stages", "people", "accounts", "internal_actors")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ENTRIES: Final = """
select stages.subject_id, stages.stage, stages.entered, coalesce(people.channel, accounts.channel) as channel
from stages
left join people on stages.subject = 'person' and people.person = stages.subject_id
left join accounts on stages.subject = 'account' and accounts.account_id = stages.subject_id
where stages.subject = $unit and stages.spell = 1
order by stages.subject_id, stages.entered
"""


@dataclass(frozen=True)
class Subjects:
    """Those who entered any of the steps. ``units``, ``times`` and ``steps`` are parallel, ordered by unit and time."""

    count: int
    units: NDArray[np.int32]
    times: Ints  # microseconds since 1970 in UTC
    steps: Ints  # place of the stage among the funnel's steps
    channels: Sequence[Values]
    channel: Ints  # by unit, its place among the channels

    def streams(self, steps: Sequence[int]) -> Streams:
        """The entries into some of the steps as the matcher's events: bit 0 for the first of these, and so on."""
        masks = np.zeros(self.steps.size, np.int64)
        for bit, step in enumerate(steps):
            masks[self.steps == step] = 1 << bit
        there = masks != 0
        return Streams(self.units[there], self.times[there], masks[there], self.count)

    def first_entry(self, since: datetime | None = None) -> datetime | None:
        """The earliest entry into the first step, from ``since`` on."""
        entries = self.times[self.steps == 0]
        if since is not None:
            entries = entries[entries >= (since - _EPOCH) // timedelta(microseconds=1)]
        return _EPOCH + timedelta(microseconds=int(entries.min())) if entries.size else None


def read_subjects(engine: Engine, unit: Subject, steps: Sequence[str]) -> Subjects:
    rows = engine.table(_ENTRIES, {"unit": unit})
    places = pc.index_in(rows["stage"].combine_chunks(), pa.array(steps, pa.string()))
    rows = rows.append_column("step", places).filter(pc.is_valid(places))
    ids = rows["subject_id"].combine_chunks().dictionary_encode()
    channels = rows["channel"].combine_chunks().dictionary_encode(null_encoding="encode")
    units = ids.indices.to_numpy().astype(np.int32)
    codes = np.zeros(len(ids.dictionary), np.int64)
    codes[units] = channels.indices.to_numpy()
    return Subjects(
        len(ids.dictionary),
        units,
        rows["entered"].cast(pa.int64()).to_numpy(),
        rows["step"].to_numpy().astype(np.int64),
        [(name,) for name in channels.dictionary.to_pylist()],
        codes,
    )
