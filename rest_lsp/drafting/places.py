"""Earlier places of the end of a context in an array of token ids: all of it is looked through, without an index.

What is searched here is small and changes with every token; one compiled pass takes some microseconds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rest_lsp.compiling import kernel
from rest_lsp.datastore.occurrence import DOCUMENT, LENGTH, N_TOKENS, OFFSET, TOKENS, TRAITS

MAX_LENGTH = 16
"""Longest match that is told from longer ones, as in REST (arXiv 2311.08252 §4.1)."""

SEPARATOR = -1
"""No token: stands between texts, and behind the last one."""

Tokens = NDArray[np.int32]


@kernel
def find(array: Tokens, end: int, reversed_context: Tokens, depth: int, limit: int) -> Tokens:
    """At most `limit` places in `array[:end]`, the longest match first, then the last in the array.

    [n, TOKENS + depth] as in `Rows.ints`; OFFSET counts from the start of the array.  A separator ends what follows.
    """
    found = np.empty((limit, TOKENS + depth), np.int32)
    n = 0
    if not len(reversed_context) or not limit:
        return found[:0]
    last = reversed_context[0]
    for place in range(end - 1, 0, -1):
        if array[place - 1] != last:
            continue
        length = _agreement(array, place, reversed_context)
        if n == limit and length <= found[n - 1, LENGTH]:
            continue
        at = n if n < limit else n - 1
        while at > 0 and found[at - 1, LENGTH] < length:
            found[at, LENGTH], found[at, OFFSET] = found[at - 1, LENGTH], found[at - 1, OFFSET]
            at -= 1
        found[at, LENGTH], found[at, OFFSET] = length, place
        n = min(n + 1, limit)
    for row in range(n):
        place = found[row, OFFSET]
        follow = 0
        while follow < depth and place + follow < len(array) and array[place + follow] != SEPARATOR:
            found[row, TOKENS + follow] = array[place + follow]
            follow += 1
        found[row, N_TOKENS], found[row, TRAITS], found[row, DOCUMENT] = follow, 0, 0
    return found[:n]


@kernel
def _agreement(array: Tokens, place: int, reversed_context: Tokens) -> int:
    """How many tokens in front of the place agree with the context; no separator does."""
    length = 1
    while length < min(len(reversed_context), place) and array[place - 1 - length] == reversed_context[length]:
        length += 1
    return length
