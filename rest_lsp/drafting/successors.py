"""Which tokens the model put first behind each token, when it last stood there: a guess for where nothing matches.

Read from logits that a pass has computed anyway (Token Recycling, arXiv 2408.08696).  Of one request: what the ones
before it left is right so seldom that it pays for no node of a CPU, and adds 0.4 % to the tokens of passes with 64
nodes (120 holes of the projects that confidence is fitted to).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rest_lsp.compiling import kernel

Ints = npt.NDArray[np.int32]

WIDTH = 4
"""Successors kept of a token: those after the fourth are written in one case of a hundred."""

WORTH_LOOKING = 0.03
"""Where a further token costs more of a pass than this, there is no room for second successors and later ones: a look
at the logits takes longer than they save.  The first one, which the model has just picked, needs none."""


class SuccessorTable:
    """Room for all tokens up to the highest seen, which is kept when the table is cleared.  One thread.

    rows[token + 1] are the token's successors, the likeliest first, -1 where there are none; row 0 belongs to ROOT.
    """

    def __init__(self) -> None:
        self.rows = np.full((0, WIDTH), -1, np.int32)
        self._written: list[int] = []

    def clear(self) -> None:
        """Forget all successors."""
        self.rows[self._written] = -1
        self._written.clear()

    def remember(self, token: int, following: Sequence[int]) -> None:
        """The likeliest tokens behind `token`, as the model sees it now."""
        self._make_room(token)
        self._written.append(token + 1)
        kept = list(following[:WIDTH])
        self.rows[token + 1] = kept + [-1] * (WIDTH - len(kept))

    def remember_text(self, tokens: Sequence[int]) -> None:
        """Each of `tokens` is the likeliest behind the one before it; others are not known."""
        self._make_room(max(tokens))
        self._written += [token + 1 for token in tokens[:-1]]
        _remember(self.rows, np.array(tokens, np.int32))

    def _make_room(self, token: int) -> None:
        n_rows = len(self.rows)
        if token + 1 >= n_rows:
            more = np.full((max(token + 2, 2 * n_rows) - n_rows, WIDTH), -1, np.int32)
            self.rows = np.concatenate([self.rows, more])


@kernel
def _remember(rows: Ints, tokens: Ints) -> None:
    for at in range(len(tokens) - 1):
        row = rows[tokens[at] + 1]
        row[:] = -1
        row[0] = tokens[at + 1]
