"""Which tokens the model put first behind each token, when it last stood there: a guess for where nothing matches.

Read from logits that a pass has computed anyway (Token Recycling, arXiv 2408.08696).
"""

from __future__ import annotations

from collections.abc import Sequence

from rest_lsp.drafting.traits import OTHER, SUCCESSOR

WIDTH = 4
"""Successors kept of a token: those after the fourth are written in one case of a hundred."""

WORTH_LOOKING = 0.03
"""Where a node must be likelier than this, the second successor and later ones never pay, and the first one, which the
model has just picked, costs no look at the logits."""

_TRAITS = (SUCCESSOR, OTHER, OTHER, OTHER)


class SuccessorTable:
    """As many entries as tokens were seen; of one engine, kept from request to request.  One thread."""

    def __init__(self) -> None:
        self._table: dict[int, tuple[tuple[int, int], ...]] = {}

    def of(self, token: int) -> Sequence[tuple[int, int]]:
        """Tokens with their traits, the likeliest first; () for a token that was never seen."""
        return self._table.get(token, ())

    def remember(self, token: int, following: Sequence[int]) -> None:
        """The likeliest tokens behind `token`, as the model sees it now."""
        self._table[token] = tuple(zip(following, _TRAITS, strict=False))
