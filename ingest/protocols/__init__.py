"""Protocols: one file per SDK family, one silhouette: a record of the log -> its calls and its rejects.

What it owns: how bytes on the wire become events. ``call.py`` is what comes out. ``envelope.py`` is the door's part (is this
readable, whose key is in it, how many events), ``segment.py`` the flush's part (every field of every event).

Invariants
- A decoder never raises, whatever the bytes: every event of a request ends as exactly one ``Call`` or one ``Reject``.
- Decoding the same record again gives the same calls with the same ids: an id that the SDK left out is minted from the
  event's place in the log, not from chance.
- The door imports ``envelope`` only: the decoders need pyarrow's schema, which costs the collector 50 MB.

Decisions
- *Decoded twice.* Context: an answer waits for the log and should not wait for the work on each field. Choice: the door
  checks the envelope and logs the body, the flush decodes it. Price: the JSON is scanned twice; in return the door never
  changes when the meaning of a field is bettered.
- *A refused body is a record too.* Context: nothing received may vanish. Choice: it is logged under its path with
  ``#reason#detail`` behind it (no HTTP path holds a ``#``). Price: one ``if`` per record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ingest.outcome import Outcome
from ingest.protocols.call import Call, Reject

if TYPE_CHECKING:
    from ingest.record import Record

MAX_EVENT_BYTES: Final = 32_768
_TOLD: Final = 500  # characters of a detail

Decoded = tuple[list[Call], list[Reject]]


def decode(record: Record, mint: Callable[[int], str], max_event_bytes: int = MAX_EVENT_BYTES) -> Decoded:
    """The calls and rejects of a record; their number together is the number of events in it.

    ``mint(n)`` must name the record's n-th event (from 0), the same whenever it is asked.
    """
    path, _, refused = record.path.partition("#")
    if refused:
        name, _, detail = refused.partition("#")
        reason = Outcome(name)
        return [], [Reject(reason, detail or f"{path}: {reason.help}", None, record.body)]
    from ingest.protocols import segment  # here, so that the door can import this package without pyarrow

    return segment.decode(record, mint, max_event_bytes)


def refused_path(path: str, reason: Outcome, detail: str) -> str:
    """The path under which a body that the door refused is logged, with what the sender was told."""
    return f"{path}#{reason.value}#{detail[:_TOLD]}"
