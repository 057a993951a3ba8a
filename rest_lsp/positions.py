"""Positions in a text as the language server protocol counts them: lines, and UTF-16 units within a line.

Knows only `\\n`, `\\r\\n` and `\\r` as ends of lines, as the protocol does, not the others of `str.splitlines`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from rest_lsp.errors import RequestError

LINE_END = re.compile(r"\r\n|\n|\r")


class Position(NamedTuple):
    """Zero-based line, and UTF-16 units from its start."""

    line: int
    character: int


@dataclass(frozen=True)
class TextPositions:
    """Translates between protocol positions and offsets in code points of one text."""

    text: str

    @cached_property
    def line_starts(self) -> list[int]:
        """Offset of the first character of each line; a text has at least one line."""
        return [0, *(end.end() for end in LINE_END.finditer(self.text))]

    def line(self, number: int) -> str:
        """Line `number` without its end."""
        start = self.line_starts[number]
        end = LINE_END.search(self.text, start)
        return self.text[start : end.start() if end else len(self.text)]

    def offset(self, position: Position) -> int:
        """Code points before `position`.  Raises RequestError when there is no such place or it cuts a character."""
        if not 0 <= position.line < len(self.line_starts):
            raise RequestError(f"There is no line {position.line}; the text has {len(self.line_starts)} lines.")
        line = self.line(position.line)
        units = 0
        for index, character in enumerate([*line, ""]):
            if units == position.character:
                return self.line_starts[position.line] + index
            units += utf16_units(character)
        raise RequestError(f"There is no place {position.character} in line {position.line} (UTF-16 units).")

    def position(self, offset: int) -> Position:
        """The inverse of `offset`."""
        line = bisect_right(self.line_starts, offset) - 1
        return Position(line, utf16_units(self.text[self.line_starts[line] : offset]))


def utf16_units(text: str) -> int:
    """UTF-16 code units of `text`: two for each character above the basic plane."""
    return len(text) + sum(ord(character) > 0xFFFF for character in text)
