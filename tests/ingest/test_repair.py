"""JSON that strict readers refuse."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.protocols.repair import grammar, text


@pytest.mark.parametrize(
    ("sent", "repaired"),
    [
        (b'"\xed\xa0\xbe\xed\xb6\x94"', '"\U0001f994"'.encode()),  # CESU-8
        (b'"a\xed\xa0\xbeb"', '"a\ufffdb"'.encode()),
        (b'"\xff\xc3\xa9"', '"\ufffdé"'.encode()),
        (rb'"\u0000"', rb'"\ufffd"'),
        (rb'"\ud83d"', rb'"\ufffd"'),
        (rb'"\uDD94\ud83e"', rb'"\ufffd\ufffd"'),
        (rb'"\ud83e\udd94"', rb'"\ud83e\udd94"'),
        (rb'"\ud83e\ud83e\udd94"', rb'"\ufffd\ud83e\udd94"'),
        (rb'"\\u0000 \\\u0000"', rb'"\\u0000 \\\ufffd"'),  # an escaped backslash is not the beginning of an escape
        (b'\xef\xbb\xbf{"a":"\xc3\xa9"}', '{"a":"é"}'.encode()),
    ],
)
def test_text_becomes_sound_unicode(sent: bytes, repaired: bytes) -> None:
    assert text(sent) == repaired


def test_sound_text_is_not_even_copied() -> None:
    for body in (b'{"a":"b\\n"}', '{"a":"é🦔"}'.encode(), rb'{"a":"\u00e9"}'):
        assert text(body) is body


@pytest.mark.parametrize(
    ("sent", "strict"),
    [
        (b'{"a": NaN, "b": [-Infinity, 1e999]}', b'{"a":null,"b":[null,null]}'),
        (b'{"a": "x\ny\t\x00"}', b'{"a":"x\\ny\\t\\ufffd"}'),
        (b'{"a": 1, "a": 123456789012345678901234567890}', b'{"a":123456789012345678901234567890}'),
        (b'{"a": ' + b"9" * 5_000 + b"}", b'{"a":null}'),
        (b"{'a': 1}", None),
        (b"", None),
        (b"[" * 100_000 + b"]" * 100_000, b"[" * 500 + b'"' + b"[" * 99_500 + b"]" * 99_500 + b'"' + b"]" * 500),
        (b'["["' + b',{"a":' * 2 + b"[" * 1_200 + b'"}]"' + b"]" * 1_200 + b"}" * 2 + b"]", None),
        (b"[" * 600_000 + b"]" * 600_000, None),
        (b"[" * 2_000 + b'"' + b'\\"' * 400_000, None),
    ],
)
def test_grammar_is_made_strict_or_given_up(sent: bytes, strict: bytes | None) -> None:
    assert grammar(sent) == strict


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(st.characters()),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_whatever_python_writes_becomes_readable_everywhere(value: object) -> None:
    for ensure_ascii in (True, False):
        body = json.dumps(value, ensure_ascii=ensure_ascii).encode("utf-8", "surrogatepass")
        strict = grammar(text(body))
        assert strict is not None
        msgspec.json.decode(strict)
        strict.decode()


@given(st.binary())
def test_no_bytes_make_it_raise(body: bytes) -> None:
    text(body).decode()
    grammar(body)
