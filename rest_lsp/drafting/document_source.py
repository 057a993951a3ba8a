"""The live buffer as a draft source: what stands before the cursor, what was just generated, and what follows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rest_lsp.datastore.occurrence import OFFSET, TRAITS, CountNewlines, Origin, Rows
from rest_lsp.drafting.places import SEPARATOR, find_places
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
        self._n_earlier = self._end = self._start + len(earlier)

    def propose(self, context: Sequence[int], depth: int) -> Proposal:
        self._follow(context[self._n_known :], depth)
        ints = find_places(self._tokens, self._end, context, depth=depth, limit=self._limit)
        ints[:, TRAITS] = [self._traits(place) for place in ints[:, OFFSET].tolist()]
        n = len(ints)
        return Proposal(self.name, Rows(ints, np.ones(n), [self._path] * n, [LIVE] * n))

    def line_of(self, origin: Origin, count_newlines: CountNewlines) -> int:
        """Zero-based line of a place that `propose` named."""
        begin, line = (0, self._cursor_line) if origin.offset < self._start else (self._start, self._first_line)
        return line + count_newlines(self._tokens[begin : origin.offset])

    def _follow(self, grown: Sequence[int], depth: int) -> None:
        """Copy what was generated since the last call; the context may also have been cut back to an earlier state."""
        end = self._n_earlier + len(grown)
        if end + depth > len(self._tokens):
            more = np.full(end + depth, SEPARATOR, dtype=np.int32)
            self._tokens = np.concatenate([self._tokens, more])
        self._tokens[self._n_earlier : end] = grown
        self._tokens[end : end + depth] = SEPARATOR
        self._end = end

    def _traits(self, place: int) -> int:
        if place < self._start:
            return AFTER
        return BEFORE | CLOSE if self._end - place <= CLOSE_TOKENS else BEFORE
