"""The first of several events, without a look at the others."""

import msgspec
import pytest

from ingest.protocols.envelope import first_event

FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
LARGE = b'{"a":"' + 5_000 * b"x" + b'"}'


@pytest.mark.parametrize(
    "body",
    [
        b'{"batch":[{"a":1},{"b":2}],"sentAt":"now"}',
        b'{"batch": [{"a":1}, {"b":2}]}',
        b' [ {"a":1},{"b":2} ]',
        b'[{"a":1},{"b":2',  # breaks off behind it
    ],
)
def test_it_is_read_where_the_events_stand_first(body: bytes) -> None:
    assert first_event(body, FIELDS.decode) == {"a": msgspec.Raw(b"1")}


@pytest.mark.parametrize(
    "body",
    [
        b'{"batch":[{"a":1}]}',  # alone: there is no other to spare
        b'{"sentAt":"now","batch":[{"a":1},{"b":2}]}',
        b'{"batch":[{"a":[{"b":1},{"c":2}]},{"d":3}]}',  # whether that is an event's end is told by reading on
        b'{"batch":[{"a":"},{"},{"d":3}]}',
        b'{"batch":[' + LARGE + b"," + LARGE + b"]}",
        b'{"batch":[1,{"a":1},{"b":2}]}',
        b'{"a":1}',
        b"",
    ],
)
def test_in_any_other_body_it_must_be_looked_for(body: bytes) -> None:
    assert first_event(body, FIELDS.decode) is None
