"""Earlier places of the end of a context in an array of token ids: whole arrays are compared, without an index.

What is searched here is small and changes with every token; sixteen vectorised comparisons take some tens of
microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_LENGTH = 16
"""Longest match that is told from longer ones, as in REST (arXiv 2311.08252 §4.1)."""

SEPARATOR = -1
"""No token: stands between texts, and behind the last one."""

Tokens = NDArray[np.int32]


class Place(NamedTuple):
    """A position behind an earlier occurrence, how many tokens before it agree, and what follows."""

    position: int
    length: int
    tokens: tuple[int, ...]


def find_places(array: Tokens, end: int, context: Sequence[int], *, depth: int, limit: int) -> list[Place]:
    """At most `limit` places in `array[:end]`, the longest match first, then the last in the array.

    At least `depth` separators must stand behind `end`.  Nothing may follow at a place: its tokens are empty then.
    """
    if not context:
        return []
    tokens = array[:end]
    positions = np.flatnonzero(tokens[:-1] == context[-1]) + 1
    lengths = np.ones(len(positions), dtype=np.int32)
    alive = np.arange(len(positions))
    for length in range(2, min(MAX_LENGTH, len(context)) + 1):
        back = positions[alive] - length
        alive = alive[(back >= 0) & (tokens[back] == context[-length])]
        if not len(alive):
            break
        lengths[alive] = length
    best = np.lexsort((-positions, -lengths))[:limit]
    chosen = positions[best]
    rows = array[chosen[:, None] + np.arange(depth)].tolist()
    return [
        Place(position, length, _until_separator(row))
        for position, length, row in zip(chosen.tolist(), lengths[best].tolist(), rows, strict=True)
    ]


def _until_separator(row: list[int]) -> tuple[int, ...]:
    return tuple(row[: row.index(SEPARATOR)] if SEPARATOR in row else row)
