"""Infers from edits that a suggestion was taken: many editors do not say so, and none says it of each word.

Looks at the text where the last suggestion of a document belongs, and at nothing else of the edit: editors describe the
same change in many ways.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote

from rest_lsp.completion.reuse import CLOSERS, MAX_CLOSERS
from rest_lsp.server.acceptance import Acceptance, Kind
from rest_lsp.server.documents import Document

_BEHIND = 64
"""Characters behind a suggestion by which its place is known again."""


class Offered(NamedTuple):
    """`text` in place of the document's characters from `start` to `end`; the cursor is between."""

    text: str
    start: int
    cursor: int
    end: int


@dataclass
class _Expected:
    """What would stand in the document if the suggestion were taken; `n_there` characters of it stand there already."""

    suggestion_id: str
    line: int
    line_before: str
    text: str
    behind: str
    n_there: int


class AcceptanceFromEdits:
    """The last suggestion of each document.  Belongs to the event loop."""

    def __init__(self, acceptance: Acceptance) -> None:
        self._acceptance = acceptance
        self._expected: dict[str, _Expected] = {}

    def expect(self, document: Document, suggestion_id: str, offered: Offered) -> None:
        """It was offered in the document as it is now."""
        source, line = document.source, document.position_of(offered.start).line
        line_start = sum(map(len, document.lines[:line]))
        self._expected[unquote(document.uri)] = _Expected(
            suggestion_id,
            line=line,
            line_before=source[line_start : offered.start],
            text=offered.text,
            behind=source[offered.end : offered.end + _BEHIND],
            n_there=offered.cursor - offered.start,
        )

    def changed(self, document: Document, n_changes: int) -> None:
        """The document was edited in `n_changes` steps; keys come one by one, what is taken comes at once."""
        key = unquote(document.uri)
        expected = self._expected.get(key)
        if expected is None:
            return
        n_there = _n_there(expected, document)
        if n_there is None:
            del self._expected[key]
            return
        n_new, expected.n_there = n_there - expected.n_there, n_there
        if n_new > n_changes:
            self._acceptance.infer(expected.suggestion_id, _kind(expected), n_new)
        elif n_new > 0:
            self._acceptance.typed(n_new)
        if n_there == len(expected.text):
            del self._expected[key]

    def forget(self, document: Document) -> None:
        self._expected.pop(unquote(document.uri), None)


def _kind(expected: _Expected) -> Kind:
    if expected.n_there == len(expected.text):
        return "whole"
    is_line = expected.text.startswith(("\n", "\r\n"), expected.n_there)
    return "line" if is_line or expected.text[expected.n_there - 1] == "\n" else "word"


def _n_there(expected: _Expected, document: Document) -> int | None:
    """How much of the suggestion stands in its place now; None when something else stands there."""
    lines = document.lines
    if expected.line >= len(lines) or not lines[expected.line].startswith(expected.line_before):
        return None
    wanted = len(expected.line_before) + len(expected.text) + 2 * _BEHIND
    found = ""
    for line in lines[expected.line :]:
        found += line
        if len(found) >= wanted:
            break
    found = found[len(expected.line_before) :]
    for n_there in range(_n_common(expected.text, found), -1, -1):
        # Closers that the editor put behind an opener may still stand in between.
        n_closers = 0
        while n_closers < MAX_CLOSERS and not _stands_at(found, n_there + n_closers, expected.behind):
            if found[n_there + n_closers : n_there + n_closers + 1] not in CLOSERS:
                break
            n_closers += 1
        if _stands_at(found, n_there + n_closers, expected.behind):
            return n_there
    return None


def _stands_at(found: str, at: int, behind: str) -> bool:
    return found.startswith(behind, at) if len(behind) == _BEHIND else found[at:] == behind


def _n_common(first: str, second: str) -> int:
    n = 0
    for a, b in zip(first, second, strict=False):
        if a != b:
            break
        n += 1
    return n
