"""The text of an open document as its editor has it, so that it can be told again.  No pygls: a front holds these."""

from __future__ import annotations

import re
from typing import Any

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")


class Buffer:
    """Kept as lines, so that a keystroke in a file of megabytes costs one line."""

    def __init__(self, document: dict[str, Any]) -> None:
        """`document` is LSP's TextDocumentItem."""
        self._document = document
        self._lines = split_lines(document["text"])

    @property
    def version(self) -> object:
        return self._document.get("version")

    def item(self) -> dict[str, Any]:
        """The document as `didOpen` has it."""
        return {**self._document, "text": "".join(self._lines)}

    def change(self, version: object, changes: list[dict[str, Any]], encoding: str) -> None:
        """Apply LSP's content changes in order; positions are clamped to the text."""
        for change in changes:
            if "range" in change:
                self._replace(change["range"]["start"], change["range"]["end"], change["text"], encoding)
            else:
                self._lines = split_lines(change["text"])
        self._document = {**self._document, "version": version, "text": ""}

    def _replace(self, start: dict[str, int], end: dict[str, int], text: str, encoding: str) -> None:
        lines = self._lines
        first, first_column = self._place(start, encoding)
        last, last_column = max((first, first_column), self._place(end, encoding))
        # Text that begins with "\n" joins a line above that ends with "\r".
        above = lines[first - 1] if first and lines[first - 1].endswith("\r") else ""
        new = split_lines(above + lines[first][:first_column] + text + lines[last][last_column:])
        if last + 1 < len(lines):
            new.pop()
        lines[first - bool(above) : last + 1] = new

    def _place(self, position: dict[str, int], encoding: str) -> tuple[int, int]:
        number = position["line"]
        if number >= len(self._lines):
            return len(self._lines) - 1, len(self._lines[-1])
        return number, column_of(self._lines[number].rstrip("\r\n"), position["character"], encoding)


def split_lines(text: str) -> list[str]:
    """The lines with their ends; the last one has none, and is "" after a final line end or in empty text."""
    lines = _LINE.findall(text)
    if not lines or lines[-1][-1] in "\r\n":
        lines.append("")
    return lines


def column_of(line: str, units: int, encoding: str) -> int:
    """Code points before a column that counts units of `encoding`; one within a character counts as before it."""
    if line.isascii() or encoding == "utf-32":
        return min(units, len(line))
    passed = 0
    for column, character in enumerate(line):
        passed += _n_units(ord(character), encoding)
        if passed > units:
            return column
    return len(line)


def _n_units(code_point: int, encoding: str) -> int:
    if encoding == "utf-8":
        return 1 + (code_point > 0x7F) + (code_point > 0x7FF) + (code_point > 0xFFFF)
    return 1 + (code_point > 0xFFFF)
