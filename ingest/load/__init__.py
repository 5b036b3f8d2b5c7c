"""Bulk import: the history of another tool, or a table of plain events, into the lake beside everything else.

The way of a row: ``detect`` says what a file is, ``stage`` reads it (``plain`` in SQL, whole columns at a time; ``segment``,
``posthog``, ``mixpanel``, ``amplitude`` row by row, one silhouette: an exported row -> a Segment call), ``identities`` adds
who is who where no row says it, ``chunks`` names rows without an id and sorts all of them by time, ``spool`` hands them to
the flush, ``report`` adds up what became of them.
``run`` is that sentence as code; ``plan`` is what a killed import knows when it is run again.

On disk, below the data folder: ``import/<digest of what is imported>/``
    lock, plan.json          whose import it is; an identity that never repeats; when it began
    staged/NNNN.*            what file N holds: its events and refused rows, then its counts, which say that it is whole
    spill/                   DuckDB's, while it sorts
    NNNNNNNNNNNN-<received_at>.chunk   handed over; see ``spool``
The folder goes when all is in the lake. Of a killed import, forgetting a person removes ``staged`` and ``spill``: the same
command stages its files again, under the same plan.

Invariants
- Every row ends in one outcome: taken, duplicate, or refused for one reason; a refused one keeps its bytes in ``rejected``.
- Importing anything again adds nothing: a row without an id gets one from its content and its ordinal among its equals
  within its file, and a refused row likewise. So it does not matter which files are imported together.
- A kill at any point is answered by the same command again: it goes on behind the last chunk that was handed over. Chunks
  come out the same, as the order (time, file, row) is total and the files of a plan do not change (else it is another plan).
- A time is history: it is kept as it stands, not corrected for a sender's clock. A row without one is refused, never "now",
  and so is one before 1990: a clock that was never set, or a 0.

Decisions
- *The flush stores, the import only prepares.* Context: the flush owns ids and counts, and an import must run beside ``up``.
  Choice: sorted chunks in a spool that the flush reads as it reads the logs, one chunk and then the logs again; without a
  flush the command starts one, which serves the logs, too. Taking the index in turns was the other way: it needs the
  flush to let go between groups, and a crash in either to be told apart. Price: each row is written once more (lz4, synced).
- *Staged, then sorted as a whole.* Context: three years in the order of their files would put a part of every month into
  every commit. Choice: DuckDB sorts all staged rows by time, spilling at its memory limit; a commit holds CHUNK_ROWS, so a
  month is a few files. Price: the history lies on disk once more while it is imported.
- *Ids of the lake are asked beside the index.* Context: the index forgets after 60 to 90 days, history is imported again
  after a year. Choice: ids that the lake has in the months of a chunk are found by a semi-join before the chunk is handed
  over (of a month only one copy may stand: ``ids``); what comes in meanwhile is found by the index. Price: the ids of a
  month are read once per chunk of it.
- *Who is who becomes calls.* Context: Mixpanel and Amplitude link a device to a user by an event that carries both,
  Amplitude exports merges of its own ids, PostHog's events carry the person's id, and its persons export says whose an id
  is now. Choice: ``identities`` and ``roster`` make identify and alias calls of them, each at the first time it can have
  been known. Price: events that no file holds, counted apart; merges and persons are understood only beside the events of
  their ids, and refused without.
- *CSV is text.* Context: "00123" is a postcode. Choice: a column is text unless ``--types`` says number or boolean; Parquet
  keeps its types. Price: a flag to type.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ingest.errors import IngestError

CHUNK: Final = ".chunk"


class CannotImport(IngestError):
    """What keeps an import from beginning; nothing was taken, and the message says what to change."""


def place(chunk: Path) -> tuple[int, int]:
    """The number of a chunk, and when it was handed over (microseconds), both of which its name says."""
    number, received_at = chunk.stem.split("-")
    return int(number), int(received_at)


def waiting_since(spool: Path) -> int | None:
    """When the oldest chunk that waits for the flush was handed over; None if none waits."""
    return min((place(path)[1] for path in spool.glob(f"*/*{CHUNK}")), default=None)
