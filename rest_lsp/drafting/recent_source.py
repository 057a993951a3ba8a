"""Recent completions as a draft source: what the model wrote a moment ago it is likely to write again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from rest_lsp.datastore.occurrence import OFFSET, TRAITS, Rows
from rest_lsp.drafting.places import MAX_LENGTH, SEPARATOR, find
from rest_lsp.drafting.source import NOWHERE, Proposal
from rest_lsp.drafting.traits import COMPLETED

_DEPTH = 16
"""Longer than elsewhere: a text that begins alike often goes on alike."""


class RecentSource:
    """Token ids of some texts, the newest last, where it wins over others that agree as far; made for one request."""

    name = "completions"

    def __init__(self, texts: Iterable[Sequence[int]], *, limit: int = 8) -> None:
        tokens = [token for text in texts for token in (SEPARATOR, *text)]
        self._tokens = np.array([*tokens, *([SEPARATOR] * (_DEPTH + 1))], dtype=np.int32)
        self._end, self._limit = len(tokens), limit

    def propose(self, context: Sequence[int], depth: int) -> Proposal:
        ints = find(
            self._tokens,
            self._end,
            np.array(context[: -MAX_LENGTH - 1 : -1], np.int32),
            max(depth, _DEPTH),
            self._limit,
        )
        ints[:, TRAITS], ints[:, OFFSET] = COMPLETED, NOWHERE.offset
        return Proposal(self.name, Rows(ints, np.ones(len(ints)), [NOWHERE.path], [NOWHERE.generation]))
