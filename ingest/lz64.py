"""lz-string's base64 form ("lz64"), as old posthog-js sends it, read with a bound: the package of that name has none.

A text is codes of growing width: 0 and 1 bring a new character of 8 or 16 bits, 2 is the end, others name a phrase said
before. The bits of a code come lowest first, those of a base64 digit highest first: with each digit's bits turned round the
stream is one number, read from its low end. Facts: https://pieroxy.net/blog/pages/lz-string/index.html
"""

from __future__ import annotations

from typing import Final

FIRST: Final = b"N"  # the digit with which any JSON object or list begins
MOST: Final = 1_000_000  # digits; half a second of work, and far more than a browser sends at once
_DIGITS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_TURNED: Final = {digit: int(f"{value:06b}"[::-1], 2) for value, digit in enumerate(_DIGITS)}
_END: Final = 2
_WIDTHS: Final = (8, 16)  # of the new character behind a code 0 or 1


class _Bits:
    """The stream; past its end it raises ``IndexError``."""

    def __init__(self, digits: bytes) -> None:
        self._digits = digits
        self._at = self._held = self._count = 0

    def read(self, width: int) -> int:
        while self._count < width:
            self._held |= _TURNED[self._digits[self._at]] << self._count
            self._at += 1
            self._count += 6
        value = self._held & ((1 << width) - 1)
        self._held >>= width
        self._count -= width
        return value


def decompressed(digits: bytes, limit: int) -> bytes | None:
    """As UTF-8, at most some phrases more than ``limit`` bytes; None where it is damaged or longer than ``MOST``."""
    if len(digits) > MOST:
        return None
    try:
        units = _units(_Bits(digits.rstrip(b"=")), limit)
    except (IndexError, KeyError):
        return None
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _units(bits: _Bits, limit: int) -> str:
    """UTF-16 units. A phrase told before it is known is the last one with its own first unit behind it."""
    phrases: list[str] = ["", "", ""]
    width, room, size = 2, 1, 0  # ``room``: how many phrases the width still has codes for
    said: list[str] = []
    last = ""
    while size <= limit:
        code = bits.read(width)
        if code == _END:
            break
        if code < _END:
            phrases.append(chr(bits.read(_WIDTHS[code])))
            code = len(phrases) - 1
            width, room = _grown(width, room)
        phrase = last + last[0] if code == len(phrases) else phrases[code]
        said.append(phrase)
        size += len(phrase)
        if last:
            phrases.append(last + phrase[0])
            width, room = _grown(width, room)
        last = phrase
    return "".join(said)


def _grown(width: int, room: int) -> tuple[int, int]:
    return (width, room - 1) if room > 1 else (width + 1, 1 << width)
