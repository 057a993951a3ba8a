"""Recent completions as a draft source: what the model wrote a moment ago it is likely to write again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from rest_lsp.datastore.occurrence import OFFSET, TRAITS, Rows
from rest_lsp.drafting.places import SEPARATOR, find_places
from rest_lsp.drafting.source import NOWHERE, Proposal
from rest_lsp.drafting.traits import COMPLETED

_DEPTH = 16
"""Longer than elsewhere: a text that begins alike often goes on alike."""


class RecentSource:
    """Token ids of some texts; made for one request."""

    name = "completions"

    def __init__(self, texts: Iterable[Sequence[int]], *, limit: int = 8) -> None:
        tokens = [token for text in texts for token in (SEPARATOR, *text)]
        self._tokens = np.array([*tokens, *([SEPARATOR] * (_DEPTH + 1))], dtype=np.int32)
        self._end, self._limit = len(tokens), limit

    def propose(self, context: Sequence[int], depth: int) -> Proposal:
        ints = find_places(self._tokens, self._end, context, depth=max(depth, _DEPTH), limit=self._limit)
        ints[:, TRAITS], ints[:, OFFSET] = COMPLETED, NOWHERE.offset
        n = len(ints)
        return Proposal(self.name, Rows(ints, np.ones(n), [NOWHERE.path] * n, [NOWHERE.generation] * n))
