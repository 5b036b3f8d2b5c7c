"""The record: one HTTP request as the log keeps it, and how records lie in a segment.

Layout of a segment (little endian)
    header   magic "jcurvlog" | format u16 | number u64 | identity 32 bytes, space-filled | crc32 of all that u32
    record   mark 4 bytes | length of the payload u32 | crc32 of the payload u32 | payload
    payload  received_at i64 | lengths of project, source, path, ip, user agent 5 x u16 | these five, UTF-8 | body
The mark lets a reader find the next whole record behind a damaged place. A record that is not whole and has no whole one
behind it is a torn tail: nobody was told that it is stored, so readers stop before it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec

from ingest.errors import CorruptSegment

FORMAT: Final = 1
_MAGIC: Final = b"jcurvlog"
_HEADER: Final = struct.Struct("<8sHQ32s")
_CRC: Final = struct.Struct("<I")
HEADER_BYTES: Final = _HEADER.size + _CRC.size

_MARK: Final = b"\xf5\x8ejr"
_FRAME: Final = struct.Struct("<4sII")
_RECEIVED: Final = struct.Struct("<q")
_LENGTHS: Final = struct.Struct("<5H")
_FIELDS: Final = struct.Struct("<q5H")  # both
_LONGEST: Final = 0xFFFF  # bytes of a length's two; a longer ip or user agent is cut


class Record(msgspec.Struct, frozen=True, gc=False):
    """One request. ``received_at`` is in microseconds since the epoch; ``body`` is already decompressed."""

    received_at: int
    project: str
    source: str
    path: str  # normalised: "/v1/batch", "/v1/track"; it names the protocol's decoder
    ip: str
    user_agent: str
    body: bytes


def encode_header(identity: str, number: int) -> bytes:
    head = _HEADER.pack(_MAGIC, FORMAT, number, identity.encode().ljust(32))
    return head + _CRC.pack(crc32(head))


def parts(record: Record) -> tuple[bytes, bytes]:
    """All before the body, and the body: written as they are, since copying bodies would be most of the work."""
    head = _RECEIVED.pack(record.received_at) + _texts(
        record.project, record.source, record.path, record.ip, record.user_agent
    )
    frame = _FRAME.pack(_MARK, len(head) + len(record.body), crc32(record.body, crc32(head)))
    return frame + head, record.body


@lru_cache(maxsize=4_096)  # a server, or a page, sends one request after the other
def _texts(*given: str) -> bytes:
    """Their lengths, and themselves."""
    texts = [text.encode("utf-8", "replace")[:_LONGEST] for text in given]
    return _LENGTHS.pack(*map(len, texts)) + b"".join(texts)


def encode(record: Record) -> bytes:
    return b"".join(parts(record))


def read_segment(path: Path, damaged: Callable[[int, int], None] | None = None) -> Iterator[tuple[int, Record]]:
    """Every whole record with its byte position, up to a torn tail.

    A damaged place with whole records behind it raises CorruptSegment, or, with ``damaged``, is told to it as (from, to)
    in bytes and passed over. A segment of another format always raises.
    """
    data = path.read_bytes()
    at = HEADER_BYTES if _header_is_whole(path, data) else 0
    while at < len(data):
        end = _end(data, at)
        if end is None:
            behind = _next_whole(data, at + 1)
            if behind is None:
                return
            if damaged is None:
                raise CorruptSegment(path, at, f"damaged up to byte {behind}")
            damaged(at, behind)
            at = behind
            continue
        yield at, _decode(data, at + _FRAME.size, end)
        at = end


def first_received(path: Path) -> int | None:
    """When the first record of a segment was received; None if there is none yet. Reads a few bytes only."""
    size = HEADER_BYTES + _FRAME.size + _FIELDS.size
    with path.open("rb") as file:
        data = file.read(size)
    if len(data) < size or not data.startswith(_MARK, HEADER_BYTES):
        return None
    return int(_FIELDS.unpack_from(data, HEADER_BYTES + _FRAME.size)[0])


def whole_length(path: Path) -> int:
    """The length at which a torn tail begins (the file's length if there is none); 0 if not even the header is whole."""
    data = path.read_bytes()
    if len(data) < HEADER_BYTES:
        return 0
    at = HEADER_BYTES
    while True:
        while (end := _end(data, at)) is not None:
            at = end
        behind = _next_whole(data, at + 1)
        if behind is None:
            return at
        at = behind


def _header_is_whole(path: Path, data: bytes) -> bool:
    if len(data) < HEADER_BYTES or _CRC.unpack_from(data, _HEADER.size)[0] != crc32(data[: _HEADER.size]):
        return False
    magic, version, _, _ = _HEADER.unpack_from(data)
    if magic != _MAGIC or version != FORMAT:
        raise CorruptSegment(path, 0, f"this release reads segments of format {FORMAT}, this one is of {version}")
    return True


def _end(data: bytes, at: int) -> int | None:
    """Where the record at ``at`` ends, None if no whole record begins there."""
    if len(data) - at < _FRAME.size:
        return None
    mark, length, crc = _FRAME.unpack_from(data, at)
    start = at + _FRAME.size
    if mark != _MARK or length < _FIELDS.size or start + length > len(data):
        return None
    with memoryview(data) as view:
        return start + length if crc32(view[start : start + length]) == crc else None


def _next_whole(data: bytes, at: int) -> int | None:
    while (at := data.find(_MARK, at)) >= 0:
        if _end(data, at) is not None:
            return at
        at += 1
    return None


def _decode(data: bytes, at: int, end: int) -> Record:
    received_at, *lengths = _FIELDS.unpack_from(data, at)
    at += _FIELDS.size
    texts = []
    for length in lengths:
        texts.append(data[at : at + length].decode("utf-8", "replace"))
        at += length
    project, source, path, ip, user_agent = texts
    return Record(received_at, project, source, path, ip, user_agent, data[at:end])
