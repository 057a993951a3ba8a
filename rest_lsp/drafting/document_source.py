"""The live buffer as a draft source: what stands before the cursor, what was just generated, and what follows.

Searched by comparing whole arrays, without an index: a document is small, changes with every token, and sixteen
vectorised comparisons of it take some tens of microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rest_lsp.datastore.occurrence import CountNewlines
from rest_lsp.drafting.source import Occurrence, Origin, Proposal

MAX_LENGTH = 16
"""Longest match that is told from longer ones, as in REST (arXiv 2311.08252 §4.1)."""

LIVE = -1
"""The generation of origins in a live buffer; their offsets count within one request's own array."""

_SEPARATOR = -1
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
        limit: int = 24,
    ) -> None:
        self._path, self._limit, self._n_known = path, limit, n_known
        self._first_line, self._cursor_line = first_line, cursor_line
        self._start = len(after) + 1
        self._tokens = np.array([*after, _SEPARATOR, *earlier, *([_SEPARATOR] * _GROWTH)], dtype=np.int64)
        self._n_earlier = self._end = self._start + len(earlier)

    def propose(self, context: Sequence[int], depth: int) -> Proposal:
        self._follow(context)
        positions, lengths = self._matches(context)
        order = np.lexsort((-positions, -lengths))[: self._limit]
        return Proposal(self.name, [self._occurrence(int(positions[i]), int(lengths[i]), depth) for i in order])

    def line_of(self, origin: Origin, count_newlines: CountNewlines) -> int:
        """Zero-based line of a place that `propose` named."""
        begin, line = (0, self._cursor_line) if origin.offset < self._start else (self._start, self._first_line)
        return line + count_newlines(self._tokens[begin : origin.offset])

    def _follow(self, context: Sequence[int]) -> None:
        """Copy what was generated since the last call; the context may also have been cut back to an earlier state."""
        grown = context[self._n_known :]
        end = self._n_earlier + len(grown)
        if end > len(self._tokens):
            self._tokens = np.concatenate([self._tokens, np.full(end, _SEPARATOR, dtype=np.int64)])
        self._tokens[self._n_earlier : end] = grown
        self._end = end

    def _matches(self, context: Sequence[int]) -> _Matches:
        """Positions right behind an occurrence of the last token, and how many tokens before them agree."""
        tokens = self._tokens[: self._end]
        positions = np.flatnonzero(tokens[:-1] == context[-1]) + 1 if context else np.empty(0, dtype=np.int64)
        lengths = np.ones(len(positions), dtype=np.int64)
        alive = np.arange(len(positions))
        for length in range(2, min(MAX_LENGTH, len(context)) + 1):
            back = positions[alive] - length
            alive = alive[(back >= 0) & (tokens[back] == context[-length])]
            if not len(alive):
                break
            lengths[alive] = length
        return positions, lengths

    def _occurrence(self, position: int, length: int, depth: int) -> Occurrence:
        stop = min(position + depth, self._end)
        if position < self._start:
            stop = min(stop, self._start - 1)
        tokens = tuple(self._tokens[position:stop].tolist())
        return Occurrence(length, tokens, 1.0, Origin(self._path, position, LIVE))


_Matches = tuple[NDArray[np.int64], NDArray[np.int64]]
