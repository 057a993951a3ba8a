"""The part of a document that a completion looks at.  Knows nothing about tokens.

The model sees "\\n" as the only line end; the document gets its own kind back.  Only a window around the cursor is
copied and searched, so that a file of several megabytes costs what a small one costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from rest_lsp.completion.layout import is_comment, is_word
from rest_lsp.completion.request import CompletionRequest
from rest_lsp.errors import RequestError
from rest_lsp.syntax.magics import PYTHON, without_magics
from rest_lsp.syntax.parsed import Scope
from rest_lsp.syntax.place import ParsedDocuments, Place

LONG_LINE_STEP = 1024
"""A window that must begin within a line begins at a multiple of this many characters: typing does not move it."""


@dataclass(frozen=True)
class Snapshot:
    """Text around the cursor, with "\\n" as line end.

    before       what stands before the cursor; begins at a line start unless that line alone fills the window
    after        what stands behind it
    start        index in the document from which an answer replaces text; cursor: up to which it does at least
    line         zero-based number of the cursor's line in the document
    line_end     the document's own line end
    place        the cursor in the parsed document, None for a language without a grammar
    is_cell      whether an answer must stay in a cell of a notebook
    """

    before: str
    after: str
    start: int
    cursor: int
    line: int
    line_end: str
    language: str = ""
    place: Place | None = None
    is_cell: bool = False

    @property
    def scope(self) -> Scope:
        """What the cursor is in, as far as a grammar knows."""
        return self.place.part.scope if self.place is not None else Scope.CODE

    def is_in_string(self, distance: int) -> bool:
        """Whether what stands so many characters behind the cursor, or before it, is in a string."""
        return self.place is not None and self.place.part_at(distance).scope is Scope.STRING

    @cached_property
    def line_before(self) -> str:
        """The cursor's line, up to the cursor."""
        return self.before[self.before.rfind("\n") + 1 :]

    @cached_property
    def literal_before(self) -> str:
        """What of the comment or string around the cursor stands before it on its line; "" in code."""
        if self.place is None or self.scope is Scope.CODE:
            return ""
        return self.line_before[max(0, self.place.part.start - self.place.line_start) :]

    @cached_property
    def line_after(self) -> str:
        """The rest of the cursor's line, without its end."""
        return self.after.partition("\n")[0]

    @cached_property
    def is_before_code(self) -> bool:
        """Whether code, not mere punctuation, stands right of the cursor on its line: what is written must join it."""
        return any(map(str.isalnum, self.line_after)) and not is_comment(self.line_after)

    @property
    def is_within_word(self) -> bool:
        """Whether a word goes on right of the cursor."""
        return is_word(self.line_after[:1])

    @cached_property
    def lines_below(self) -> list[str]:
        """The lines below the cursor's, as far as the window goes."""
        return self.after.split("\n")[1:]

    @cached_property
    def next_line(self) -> str | None:
        """The first line below that is not blank, without trailing blanks."""
        return next((line.rstrip() for line in self.lines_below if line.strip()), None)

    @cached_property
    def is_blank_line(self) -> bool:
        return not self.line_before.strip() and not self.line_after.strip()


def take_snapshot(request: CompletionRequest, reach: int, documents: ParsedDocuments | None = None) -> Snapshot:
    """Up to `reach` characters on each side of the cursor, and its place in the syntax when there are `documents`.

    Raises RequestError when the cursor is not in the text.
    """
    text, offset = request.text, request.offset
    start = offset if request.selected_start is None else request.selected_start
    if not 0 <= start <= offset <= len(text):
        raise RequestError(
            f"Position {offset} is not in {request.path or 'the document'}, which has {len(text)} characters.",
            "Ask for a completion between the start and the end of the text.",
        )
    if text[offset - 1 : offset + 1] == "\r\n":
        offset -= 1
        start = min(start, offset)
    selected = _normalise(request.selected_text or "")
    return Snapshot(
        before=_normalise(text[_window_start(text, start, reach) : start]) + selected,
        after=_normalise(text[offset : offset + reach]),
        start=start,
        cursor=offset,
        line=text.count("\n", 0, start) + selected.count("\n"),
        line_end=_line_end(text, offset),
        language=request.language,
        place=None if documents is None else _place(documents, request, start, offset),
        is_cell=request.cell is not None,
    )


def _place(documents: ParsedDocuments, request: CompletionRequest, start: int, offset: int) -> Place | None:
    text, selected = request.text, request.selected_text or ""
    document = text[:start] + selected + text[offset:] if selected or start < offset else text
    if request.cell is not None and request.language == PYTHON:
        document = without_magics(document)
    return documents.place(request.path, request.language, document, start + len(selected))


def _window_start(text: str, offset: int, reach: int) -> int:
    if offset <= reach:
        return 0
    earliest = offset - reach
    line_start = text.find("\n", earliest, offset) + 1
    if line_start:
        return line_start
    return min(offset, -(-earliest // LONG_LINE_STEP) * LONG_LINE_STEP)


def _normalise(text: str) -> str:
    return text.replace("\r\n", "\n") if "\r" in text else text


def _line_end(text: str, offset: int) -> str:
    """That of the nearest line above, else of the first below."""
    end = text.rfind("\n", 0, offset)
    if end < 0:
        end = text.find("\n", offset)
    return "\r\n" if end > 0 and text[end - 1] == "\r" else "\n"
