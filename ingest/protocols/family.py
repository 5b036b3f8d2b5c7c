"""The silhouette of a family of SDKs: what the door and the flush ask of each file of this package.

A family is a module with what stands below. The door asks ``endpoint`` whose request it is, ``claims`` where several
families share a path, ``opened`` for the events and the keys in it, and then for the answer in the family's own words; the
flush asks ``decode``. ``other`` answers requests that carry no events: settings, flags, probes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import msgspec

from ingest.answers import Answer
from ingest.browser_settings import PublicAddress
from ingest.outcome import Outcome
from ingest.protocols.assemble import Mint
from ingest.protocols.call import Call, Reject
from ingest.protocols.envelope import Refused
from ingest.request import Request

if TYPE_CHECKING:
    from ingest.record import Record

Decoded = tuple[list[Call], list[Reject]]
Known = Callable[[str], bool]  # is this a write key?


class Arrived(msgspec.Struct, frozen=True, gc=False):
    """A request at one of a family's endpoints. ``content`` is its body without gzip, form and base64; of a
    GET what its query holds as ``data``, else empty."""

    endpoint: str
    request: Request
    content: bytes
    max_event_bytes: int  # the operator's limit
    raw: bytes = b""  # the body as it came


@dataclass(frozen=True, slots=True)
class Asked:
    """A request without events. ``known``: is this a write key? ``address``: under which the sender knows us. ``off``: is it
    that of a source that takes nothing?"""

    request: Request
    known: Known
    address: PublicAddress
    off: Known = lambda _: False


class Opened(msgspec.Struct, frozen=True, gc=False):
    """A request with events as the log will keep it."""

    content: bytes  # what ``decode`` reads
    keys: Callable[[], Iterable[str]]  # the write keys that it carries, the likeliest first; asked only if no header has one
    kept: str = ""  # of the query and the headers what ``decode`` needs: stands behind the endpoint in the log's path
    events: int = 1  # how many there are, for families whose answer tells
    anonymous: bool = False  # the sender's address is not kept
    stored: bool = True  # False: taken and thrown away, such as an SDK's reports about itself


class Family(Protocol):
    """A module of this package. None of these raises, whatever it is given."""

    __name__: str  # its last part is the protocol's name

    @property
    def GETS(self) -> frozenset[str]:  # noqa: N802 (a module's constant)
        """The endpoints that take events by GET, too."""

    @property
    def MAX_BODY_BYTES(self) -> int | None:  # noqa: N802
        """Of a body, after inflating; None: as the operator's setting says."""

    @property
    def MAX_EVENT_BYTES(self) -> int | None:  # noqa: N802
        """Of one event, as its own servers take it; None: as the operator's setting says."""

    def endpoint(self, path: str) -> str | None:
        """The path under which the log keeps what is sent to this one, which has no doubled or trailing slashes; None: not
        ours. Its first part is the family's own (see ``ingest.protocols.FAMILIES``)."""

    def claims(self, content: bytes) -> bool:
        """Of a path that several families know: is this body ours? Whose turn comes last is not asked. Of a body that is too
        large or cannot be read it is the beginning, or whatever came."""

    def opened(self, arrived: Arrived) -> Opened | Refused:
        """The events and the keys of a request. A body refused here is kept in ``rejected``, if its key is known."""

    def taken(self, arrived: Arrived, opened: Opened) -> Answer:
        """The answer when all is on disk: 200, whatever single events turn out to be."""

    def refused(self, arrived: Arrived, reason: Outcome, message: str) -> Answer:
        """The answer to a body that cannot be read or is too large, whether it is kept or not."""

    def unknown(self, arrived: Arrived) -> Answer:
        """The answer to a request without a known write key."""

    def disabled(self, arrived: Arrived) -> Answer:
        """The answer to a request of a source that is off: one after which its SDK does not send the same again."""

    def other(self, method: str, path: str, asked: Asked) -> Answer | None:
        """The answer to a request without events (never OPTIONS); None: not ours."""

    def decode(self, record: Record, mint: Mint, max_event_bytes: int) -> Decoded:
        """Calls and rejects of a record; their number together, but for what is ``Made``, is the number of events in it.

        ``mint(n)`` names the record's n-th event (from 0), the same whenever it is asked.
        """
