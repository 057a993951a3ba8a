"""Columns in UTF-8, UTF-16 and UTF-32 units, and lines as LSP defines them.  Knows no documents.

pygls' own codec takes a column at a line's end for the next line and one beyond the last line's end for its last
character, and cuts lines at form feeds; an edit applied like that corrupts the document.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lsprotocol import types
from pygls.workspace import PositionCodec, ServerTextPosition

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")


def split_lines(text: str) -> list[str]:
    """The lines of `text` with their ends; the last one has none, and is "" after a final line end or in empty text."""
    lines = _LINE.findall(text)
    if not lines or lines[-1][-1] in "\r\n":
        lines.append("")
    return lines


class LinePositionCodec(PositionCodec):
    """Positions of a client in code points and back.  `lines` is what `split_lines` gives; nothing is out of range."""

    def position_from_client_units(self, lines: Sequence[str], position: types.Position) -> ServerTextPosition:
        """A column beyond its line is the line's end, a line beyond the document is the document's end."""
        if position.line >= len(lines):
            return ServerTextPosition(max(0, len(lines) - 1), len(lines[-1]) if lines else 0)
        text = lines[position.line].rstrip("\r\n")
        return ServerTextPosition(position.line, self._column_in_code_points(text, position.character))

    def position_to_client_units(
        self, lines: Sequence[str], position: ServerTextPosition | types.Position
    ) -> types.Position:
        return types.Position(position.line, self.client_num_units(lines[position.line][: position.character]))

    def client_num_units(self, string: str) -> int:
        if string.isascii() or self.encoding == types.PositionEncodingKind.Utf32:
            return len(string)
        return sum(self.impl.code_units_for_char(char) for char in string)

    def _column_in_code_points(self, text: str, units: int) -> int:
        """A column within a character counts as before it."""
        if text.isascii():
            return min(units, len(text))
        passed = 0
        for column, char in enumerate(text):
            passed += self.impl.code_units_for_char(char)
            if passed > units:
                return column
        return len(text)
