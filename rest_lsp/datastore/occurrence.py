"""The datastore's answer: places where the end of the context stood before, and what followed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, overload

import numpy as np
import numpy.typing as npt

CountNewlines = Callable[[npt.NDArray[np.integer]], int]
"""How many line ends the text of some token ids has."""

LENGTH, N_TOKENS, TRAITS, DOCUMENT, OFFSET, TOKENS = range(6)
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

    ints      int32 [n, TOKENS + depth]: LENGTH, N_TOKENS that follow, TRAITS (0 until somebody knows them), DOCUMENT (a
              number among those of whoever made the row), OFFSET, and from TOKENS on what follows
    weights   float64 [n]
    paths     of all documents, by number; the same object as long as the numbers mean the same
    versions  their generations, by number
    """

    ints: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float64]
    paths: Sequence[str]
    versions: Sequence[int]

    def origin(self, row: int) -> Origin:
        document, offset = self.ints[row, DOCUMENT:TOKENS].tolist()
        return Origin(self.paths[document], offset, self.versions[document])

    def occurrences(self) -> list[Occurrence]:
        """All of them as objects, for whoever looks at each."""
        rows = zip(self.ints.tolist(), self.weights.tolist(), strict=True)
        return [
            Occurrence(ints[LENGTH], tuple(ints[TOKENS : TOKENS + ints[N_TOKENS]]), weight, self.origin(row))
            for row, (ints, weight) in enumerate(rows)
        ]


class Prefixed(Sequence[str]):
    """Names of documents, each behind the same prefix."""

    def __init__(self, prefix: str, paths: Sequence[str]) -> None:
        self._prefix, self._paths = prefix, paths

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...
    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        return Prefixed(self._prefix, self._paths[at]) if isinstance(at, slice) else self._prefix + self._paths[at]


NO_ROWS = Rows(np.empty((0, TOKENS), np.int32), np.empty(0, np.float64), (), ())
