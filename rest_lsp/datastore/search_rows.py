"""The inner loops of a search in one segment, compiled: ranges of suffix array rows, and what stands at a position.

Nothing in a segment is trusted, since one is searched before its checksums have been verified: whatever its bytes say,
no index leaves the arrays and every loop ends.
"""

from __future__ import annotations

import numpy as np

from rest_lsp.compiling import kernel
from rest_lsp.datastore.segment import Arrays, Ints, Unsigned


@kernel
def find_ranges(segment: Arrays, reversed_context: Ints, min_length: int, enough: int) -> Ints:
    """Rows by falling match length: [n, 3] of length, first row, row behind the last; none shorter than `min_length`.

    The rows are sorted by what stands before each position, so the longest match lies where the context itself would be
    sorted in, and shorter ones lie around it: the ranges grow outwards from there, one step per length that occurs,
    until `enough` rows are in them.
    """
    pattern = _dense_pattern(segment.dense_ids, reversed_context)
    n = len(pattern)
    found = np.empty((2 * n, 3), np.int32)
    shortest = max(min_length, 1)
    if n < shortest:
        return found[:0]
    first, last = _rows_of(segment, pattern[0])
    low, below, above = _sorted_in(segment, pattern, first, last)
    high = low
    n_found = n_rows = 0
    while n_rows < enough and max(below, above) >= shortest:
        length = max(below, above)
        if below == length:
            end = low
            low -= _reach(segment, pattern[:length], end - 1, -1, end - first)
            found[n_found, 0], found[n_found, 1], found[n_found, 2] = length, low, end
            n_found += 1
            n_rows += end - low
            below = _agreement(segment, segment.rows[low - 1], pattern[: length - 1], 0) if low > first else 0
        if above == length:
            start = high
            high += _reach(segment, pattern[:length], start, 1, last - start)
            found[n_found, 0], found[n_found, 1], found[n_found, 2] = length, start, high
            n_found += 1
            n_rows += high - start
            above = _agreement(segment, segment.rows[high], pattern[: length - 1], 0) if high < last else 0
    return found[:n_found]


@kernel
def _dense_pattern(dense_ids: Ints, reversed_context: Ints) -> Ints:
    """The context in the segment's own numbering, up to the first token that does not occur in it."""
    pattern = np.empty(len(reversed_context), np.int32)
    n = 0
    for token in reversed_context:
        dense = dense_ids[token] if 0 <= token < len(dense_ids) else 0
        if dense == 0:
            break
        pattern[n] = dense
        n += 1
    return pattern[:n]


@kernel
def _rows_of(segment: Arrays, dense: int) -> tuple[int, int]:
    """The rows of the suffixes that begin with a dense id."""
    if dense + 1 >= len(segment.first_rows):
        return 0, 0
    n = len(segment.rows)
    return min(segment.first_rows[dense], n), min(segment.first_rows[dense + 1], n)


@kernel
def _sorted_in(segment: Arrays, pattern: Ints, first: int, last: int) -> tuple[int, int, int]:
    """The first row whose suffix is not below the pattern; how many tokens the row below, and that row, agree with it.

    All rows between two bounds agree with at least as many tokens as the bound that agrees with fewer.
    """
    low, high = first, last
    below = above = 0
    while low < high:
        middle = (low + high) // 2
        position = segment.rows[middle]
        shared = _agreement(segment, position, pattern, min(below, above))
        if shared < len(pattern) and token_at(segment, position + shared) < pattern[shared]:
            low, below = middle + 1, shared
        else:
            high, above = middle, shared
    return low, below, above


@kernel
def _reach(segment: Arrays, pattern: Ints, row: int, step: int, room: int) -> int:
    """How many rows agree with the whole pattern, from `row`, which does, in direction `step`, up to `room`.

    Looks ever farther, then closer: most ranges are short.
    """
    sure, beyond, stride = 1, room + 1, 1
    while sure < beyond - 1:
        probe = min(sure + stride, beyond - 1) if beyond > room else (sure + beyond) // 2
        if _agreement(segment, segment.rows[row + step * (probe - 1)], pattern, 0) == len(pattern):
            sure = probe
            stride *= 2
        else:
            beyond = probe
    return sure


@kernel
def _agreement(segment: Arrays, position: int, pattern: Ints, known: int) -> int:
    """With how many tokens of the pattern the suffix at a position begins; `known` many are not compared."""
    shared = known
    while shared < len(pattern) and token_at(segment, position + shared) == pattern[shared]:
        shared += 1
    return shared


@kernel
def token_at(segment: Arrays, position: int) -> int:
    """The dense id at a position; outside, that of a separator."""
    at = segment.width * position
    if at < 0 or at + segment.width > len(segment.tokens):
        return 0
    dense = 0
    for byte in range(at, at + segment.width):
        dense = dense << 8 | segment.tokens[byte]
    return dense


@kernel
def document_at(starts: Unsigned, position: int) -> int:
    """The document that a position lies in; -1 when there is none."""
    low, high = 0, len(starts)
    while low < high:
        middle = (low + high) // 2
        if starts[middle] <= position:
            low = middle + 1
        else:
            high = middle
    return low - 1
