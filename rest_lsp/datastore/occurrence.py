"""The datastore's answer: places where the end of the context stood before, and what followed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

CountNewlines = Callable[[npt.NDArray[np.integer]], int]
"""How many line ends the text of some token ids has."""


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
