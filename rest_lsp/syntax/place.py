"""A cursor in a parsed document: everything that completion asks of a grammar.  Used from one thread.

Documents are remembered, so that a keystroke costs what it changed.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property

from rest_lsp.syntax.grammars import parser_for
from rest_lsp.syntax.parsed import Parsed, Part, Scope

MAX_CHARACTERS = 300_000
"""A longer document would take a tenth of a second and more when it is first seen."""
KEPT_DOCUMENTS = 16
LITERALS = {'"""': '"""', "'''": "'''", "`": "`", "/*": "*/"}
"""What begins and ends literals of several lines.  Without its end a grammar sees an error, and no literal."""


@dataclass(frozen=True)
class Place:
    """An index `cursor` in a parsed text."""

    document: Parsed
    cursor: int
    line_start: int

    @cached_property
    def part(self) -> Part:
        """What the cursor is in."""
        return self.document.part_at(self.cursor)

    def part_at(self, distance: int) -> Part:
        """What the place so many characters behind the cursor is in."""
        return self.document.part_at(self.cursor + distance)

    def breaks(self, text: str, n_replaced: int) -> bool:
        """Whether a document that parses no longer does with `text` in the place of `n_replaced` characters.

        Where code is half typed, the number of errors says little: a good line may well add one.  And an empty document
        may become a part of something, such as a cell of a notebook.
        """
        return self.document.is_sound and not self.document.is_blank and not self._with(text, n_replaced).is_sound

    def mends(self, text: str) -> bool:
        """Whether the document parses, or at least has fewer errors, when `text` is inserted."""
        changed = self._with(text, 0)
        return changed.is_sound or changed.n_errors < self.document.n_errors

    def leaves_block(self, text: str) -> bool:
        """Whether `text` closes a block or bracket that was opened above the cursor's line."""
        return self._with(text, 0).closes_before(self.cursor, self.cursor + len(text), self.line_start)

    def is_code_behind(self, text: str) -> bool:
        """Whether what follows `text` is neither in a comment nor in a string, also one that is not closed yet."""
        behind = self.cursor + len(text)
        ends = ["", *(end for begin, end in LITERALS.items() if begin in text)]
        return all(self._with(text + end, 0).part_at(behind).scope is Scope.CODE for end in ends)

    def _with(self, text: str, n_replaced: int) -> Parsed:
        return self.document.with_insert(self.cursor, self.cursor + n_replaced, text)


class ParsedDocuments:
    """The documents that were parsed last, by path and language."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str | None, str], Parsed] = OrderedDict()

    def place(self, path: str | None, language: str, text: str, cursor: int) -> Place | None:
        """None for a language without a grammar, and for a very long text.  Line ends may be of any kind."""
        parser = parser_for(language) if len(text) <= MAX_CHARACTERS else None
        if parser is None:
            return None
        if "\r\n" in text:
            cursor = len(text[:cursor].replace("\r\n", "\n"))
            text = text.replace("\r\n", "\n")
        parsed = Parsed.of(parser, text, self._kept.pop((path, language), None))
        self._kept[path, language] = parsed
        while len(self._kept) > KEPT_DOCUMENTS:
            self._kept.popitem(last=False)
        return Place(parsed, cursor, text.rfind("\n", 0, cursor) + 1)
