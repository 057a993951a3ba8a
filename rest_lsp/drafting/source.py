"""What a draft source is: it remembers text and says what followed the same tokens before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from rest_lsp.datastore.occurrence import (
    DOCUMENT,
    LENGTH,
    N_TOKENS,
    NO_ROWS,
    OFFSET,
    TOKENS,
    TRAITS,
    Occurrence,
    Origin,
    Rows,
)

__all__ = ["NOWHERE", "NO_ROWS", "DraftSource", "Occurrence", "Origin", "Proposal", "Rows", "rows_of"]

NOWHERE = Origin("", -1)
"""The origin of a guess that was read in no document."""


class Proposal(NamedTuple):
    """Occurrences of the context in one source; column TRAITS says what is known of their places (see `traits`)."""

    source: str
    rows: Rows


class DraftSource(Protocol):
    """Remembers token ids.  Called once per forward pass, so it must answer in well under a millisecond."""

    @property
    def name(self) -> str: ...

    def propose(self, context: Sequence[int], depth: int) -> Proposal:
        """What followed earlier occurrences of the end of `context`, up to `depth` tokens each, or more when sure.

        Does not modify the source.  The same context gives the same proposal.
        """
        ...


def rows_of(occurrences: Sequence[Occurrence], traits: int) -> Rows:
    """Rows from objects, for sources that know few."""
    width = max((len(one.tokens) for one in occurrences), default=0)
    ints = np.zeros((len(occurrences), TOKENS + width), np.int32)
    for number, (row, (length, tokens, _, origin)) in enumerate(zip(ints, occurrences, strict=True)):
        row[LENGTH], row[N_TOKENS], row[TRAITS] = length, len(tokens), traits
        row[DOCUMENT], row[OFFSET] = number, origin.offset
        row[TOKENS : TOKENS + len(tokens)] = tokens
    origins = [one.origin for one in occurrences]
    weights = np.array([one.weight for one in occurrences], np.float64)
    return Rows(ints, weights, [one.path for one in origins], [one.generation for one in origins])
