"""The live buffer as a draft source: what stands before the cursor, what was just generated, and what follows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rest_lsp.compiling import kernel
from rest_lsp.datastore.occurrence import OFFSET, TRAITS, CountNewlines, Origin, Rows
from rest_lsp.drafting.places import MAX_LENGTH, SEPARATOR, Tokens, find
from rest_lsp.drafting.source import Proposal
from rest_lsp.drafting.traits import AFTER, BEFORE, CLOSE

LIVE = -1
"""The generation of origins in a live buffer; their offsets count within one request's own array."""

CLOSE_TOKENS = 256
"""What stands within so many tokens before the end is close."""

_GROWTH = 1024


class DocumentSource:
    """Remembers one document around one cursor; made for one request.

    earlier  tokens before the cursor, as many as are worth searching
    after    tokens after the cursor
    n_known  length of the context when the request begins; what the context grows by is generated text
    first_line, cursor_line  zero-based lines where `earlier` and `after` begin
    """

    name = "document"

    def __init__(
        self,
        path: str,
        earlier: Sequence[int],
        after: Sequence[int],
        *,
        n_known: int,
        first_line: int = 0,
        cursor_line: int = 0,
        limit: int = 14,
    ) -> None:
        self._path, self._limit, self._n_known = path, limit, n_known
        self._first_line, self._cursor_line = first_line, cursor_line
        self._start = len(after) + 1
        self._tokens = np.array([*after, SEPARATOR, *earlier, *([SEPARATOR] * _GROWTH)], dtype=np.int32)
        self._n_earlier = self._start + len(earlier)
        self._weights = np.ones(limit)

    def propose(self, context: Sequence[int], depth: int) -> Proposal:
        n_grown = max(0, len(context) - self._n_known)
        self._make_room(self._n_earlier + n_grown + depth)
        ending = np.array(context[-max(n_grown, MAX_LENGTH) :], np.int32)
        ints = _find(self._tokens, self._start, self._n_earlier, ending, n_grown, depth, self._limit)
        return Proposal(self.name, Rows(ints, self._weights[: len(ints)], [self._path], [LIVE]))

    def line_of(self, origin: Origin, count_newlines: CountNewlines) -> int:
        """Zero-based line of a place that `propose` named."""
        begin, line = (0, self._cursor_line) if origin.offset < self._start else (self._start, self._first_line)
        return line + count_newlines(self._tokens[begin : origin.offset])

    def _make_room(self, n_tokens: int) -> None:
        if n_tokens > len(self._tokens):
            self._tokens = np.concatenate([self._tokens, np.full(n_tokens, SEPARATOR, np.int32)])


@kernel
def _find(array: Tokens, start: int, end: int, ending: Tokens, n_grown: int, depth: int, limit: int) -> Tokens:
    """The places, when the last `n_grown` tokens of the context's `ending` have been written behind `end`; what was
    written there before, from another state of the context, ends there.
    """
    array[end : end + n_grown] = ending[len(ending) - n_grown :]
    end += n_grown
    array[end : end + depth] = SEPARATOR
    found = find(array, end, ending[::-1][:MAX_LENGTH].copy(), depth, limit)
    for row in found:
        place = row[OFFSET]
        row[TRAITS] = AFTER if place < start else (BEFORE | CLOSE if end - place <= CLOSE_TOKENS else BEFORE)
    return found
