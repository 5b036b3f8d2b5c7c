"""Where each key of a TOML text stands: ``("stages", "pql", "person", "any", 0, "window") -> 14``.

``tomllib`` keeps no positions, and a fault without its line is half a fault. The text has been read by ``tomllib``
before it comes here, so this walk may be forgiving: it only counts lines along keys, headers, arrays and inline tables.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Final, NamedTuple

KeyPath = tuple[str | int, ...]

_TOKEN: Final = re.compile(
    r'(?P<string>"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\')'
    r"|(?P<comment>#[^\n]*)|(?P<newline>\n)|(?P<space>[ \t\r]+)|(?P<mark>[\[\]{}=,.])|(?P<bare>[^\s\[\]{}=,.\"'#]+)",
    re.DOTALL,
)


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def lines(text: str) -> dict[KeyPath, int]:
    """The line (from 1) on which each table, key and array element begins."""
    return _Walk(list(_tokens(text))).run()


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind not in ("space", "comment"):
            yield _Token(kind, match.group(), line)
        line += match.group().count("\n")
    yield _Token("end", "", line)


class _Walk:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._found: dict[KeyPath, int] = {}
        self._elements: dict[KeyPath, int] = {}  # arrays of tables: path -> index of the element being filled

    def run(self) -> dict[KeyPath, int]:
        prefix: KeyPath = ()
        while self._next.kind != "end":
            if self._next.text == "[":
                prefix = self._header()
            elif self._next.kind in ("string", "bare"):
                self._pair(prefix)
            else:
                self._at += 1
        return self._found

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _header(self) -> KeyPath:
        line = self._take().line
        repeated = self._next.text == "["
        path: KeyPath = ()
        for part in self._key("]"):
            path = (*path, part)
            self._note(path, line)
            path = (*path, self._elements[path]) if path in self._elements else path
        if not repeated:
            return path
        array = path[:-1] if isinstance(path[-1], int) else path
        self._elements[array] = self._elements.get(array, -1) + 1
        self._note((*array, self._elements[array]), line)
        return (*array, self._elements[array])

    def _key(self, end: str) -> list[str]:
        parts = []
        while (token := self._take()).text != end:
            if token.kind == "string":
                parts.append(str(tomllib.loads(f"key = {token.text}")["key"]))
            elif token.kind == "bare":
                parts.append(token.text)
        return parts

    def _pair(self, prefix: KeyPath) -> None:
        line = self._next.line
        for part in self._key("="):
            prefix = (*prefix, part)
            self._note(prefix, line)
        self._value(prefix)

    def _value(self, path: KeyPath) -> None:
        first = self._take()
        if first.text == "[":
            self._array(path)
        elif first.text == "{":
            while self._next.text != "}":
                self._pair(path) if self._next.kind in ("string", "bare") else self._take()
            self._take()
        else:
            while self._next.kind not in ("newline", "end") and self._next.text not in (",", "]", "}"):
                self._take()

    def _array(self, path: KeyPath) -> None:
        index = 0
        while self._next.text != "]":
            if self._next.kind == "newline" or self._next.text == ",":
                self._take()
                continue
            self._note((*path, index), self._next.line)
            self._value((*path, index))
            index += 1
        self._take()

    def _note(self, path: KeyPath, line: int) -> None:
        self._found.setdefault(path, line)
