"""The datastore's answer: places where the end of the context stood before, and what followed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

CountNewlines = Callable[[npt.NDArray[np.integer]], int]
"""How many line ends the text of some token ids has."""

LENGTH, N_TOKENS, TRAITS, VIEW, DOCUMENT, OFFSET, TOKENS = range(7)
"""Columns of `Rows.ints`."""


class Origin(NamedTuple):
    """A place in a document.  `path` is relative to the workspace; `offset` counts tokens from its start.

    `generation` tells snapshots of the same path apart, so that a line number is never taken from newer text.
    """

    path: str
    offset: int
    generation: int = 0


class Occurrence(NamedTuple):
    """One earlier occurrence of the end of the context.

    length   how many tokens of the context agree there (1 or more)
    tokens   what followed, cut at the end of the document
    weight   how many real occurrences it stands for (more than 1 when a large range was sampled)
    origin   where `tokens` begins
    """

    length: int
    tokens: tuple[int, ...]
    weight: float
    origin: Origin


class Rows(NamedTuple):
    """Occurrences as compiled code takes them: nothing is made for those that nobody looks at.

    ints      int32 [n, TOKENS + depth]: LENGTH, N_TOKENS that follow, TRAITS (0 until somebody knows them), VIEW and
              DOCUMENT (numbers that mean something to whoever made the row), OFFSET, and from TOKENS on what follows
    weights   float64 [n]
    paths     [n], of the documents
    versions  [n], their generations
    """

    ints: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float64]
    paths: Sequence[str]
    versions: Sequence[int]

    def origin(self, row: int) -> Origin:
        return Origin(self.paths[row], int(self.ints[row, OFFSET]), self.versions[row])

    def occurrences(self) -> list[Occurrence]:
        """All of them as objects, for whoever looks at each."""
        rows = zip(self.ints.tolist(), self.weights.tolist(), self.paths, self.versions, strict=True)
        return [
            Occurrence(
                ints[LENGTH], tuple(ints[TOKENS : TOKENS + ints[N_TOKENS]]), weight, Origin(path, ints[OFFSET], version)
            )
            for ints, weight, path, version in rows
        ]


NO_ROWS = Rows(np.empty((0, TOKENS), np.int32), np.empty(0, np.float64), (), ())
