"""The occurrences of the end of a context in some views, compiled: the longest matches first, large ranges sampled.

Nothing in a segment is trusted, as in `search_rows`.
"""

from __future__ import annotations

import numpy as np

from rest_lsp.compiling import kernel
from rest_lsp.datastore.occurrence import DOCUMENT, LENGTH, N_TOKENS, OFFSET, TOKENS, TRAITS
from rest_lsp.datastore.search_rows import document_at, find_ranges, token_at
from rest_lsp.datastore.segment import Arrays, Bytes, Ints
from rest_lsp.datastore.views import FIRST_DOCUMENT, Table, view_at

PASSES = (0.5, 0.25, 0.75, 0.125)
"""Where in each stride a pass of even sampling looks; later ones run only when the earlier met dead documents."""

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]


@kernel
def search(
    table: Table, begin: int, end: int, reversed_context: Ints, depth: int, min_length: int, limit: int, most: int
) -> tuple[Ints, Floats]:
    """At most `most` rows as in `occurrence.Rows` and their weights, chosen as in `longest` among `limit` of each view.

    Those of views from `begin` to `end` in the table of `Views`; `reversed_context` begins with the last token.
    """
    found = np.empty(((end - begin) * limit, TOKENS + depth), np.int32)
    weights = np.empty(len(found), np.float64)
    n_found = 0
    for number in range(begin, end):
        segment, dead = view_at(table, number)
        rows, of_rows = found[n_found : n_found + limit], weights[n_found : n_found + limit]
        n = _search(segment, dead, reversed_context, depth, min_length, rows, of_rows)
        rows[:n, DOCUMENT] += table[number, FIRST_DOCUMENT]
        n_found += n
    ints, kept, _ = longest(found[:n_found], weights[:n_found], most)
    return ints, kept


@kernel
def _search(
    segment: Arrays, dead: Bytes, reversed_context: Ints, depth: int, min_length: int, found: Ints, weights: Floats
) -> int:
    """Fill `found` and `weights` as far as there are rows; returns how many."""
    limit = len(found)
    n_found = known = 0
    for most in (2 * limit, len(segment.rows)):
        # Ranges are found until enough rows are in them; few documents are dead, so the rest is seldom looked for.
        ranges = find_ranges(segment, reversed_context, min_length, most)
        while known < len(ranges) and n_found < limit:
            end = known + 1
            while end < len(ranges) and ranges[end, 0] == ranges[known, 0]:
                end += 1
            n_found = _sample(segment, dead, ranges[known:end], depth, found, weights, n_found)
            known = end
        if n_found == limit or np.sum(ranges[:, 2] - ranges[:, 1]) < most:
            break
    return n_found


@kernel
def read_range(segment: Arrays, low: int, high: int, depth: int) -> Ints:
    """What follows the rows from `low` to `high`, as in `occurrence.Rows`, in their order and of all documents."""
    found = np.zeros((max(high - low, 0), TOKENS + depth), np.int32)
    n_found = 0
    for row in range(low, high):
        n_found += _read(segment, np.zeros(0, np.uint8), row, depth, found[n_found])
    return found[:n_found]


@kernel
def _sample(segment: Arrays, dead: Bytes, level: Ints, depth: int, found: Ints, weights: Floats, n_found: int) -> int:
    """Add the rows of one length to the `n_found` that there are: all when they are few, else evenly spread.

    Every row that is looked at stands for equally many rows, whether it turns out to be alive or not, so weights are
    unbiased.  Dead rows are made up for by looking at more, up to one probe per entry of PASSES.
    """
    total = np.sum(level[:, 2] - level[:, 1])
    wanted = len(found) - n_found
    read = np.empty((2 * wanted, TOKENS + depth), np.int32)
    n_read = n_probed = 0
    if total <= 2 * wanted:
        for pick in range(total):
            n_read += _read(segment, dead, _row(level, pick), depth, read[n_read])
        n_probed = total
    else:
        stride = total / wanted
        for turn in range(len(PASSES)):
            for index in range(wanted):
                if not _was_probed(index, turn, stride):
                    n_probed += 1
                    n_read += _read(segment, dead, _row(level, _pick(index, turn, stride)), depth, read[n_read])
            if 2 * n_read > wanted:
                break
    kept = min(n_read, wanted)
    weight = total / max(n_probed, 1) * (n_read / max(kept, 1))
    for index in range(kept):
        found[n_found + index] = read[index * n_read // kept]
        found[n_found + index, LENGTH] = level[0, 0]
        weights[n_found + index] = weight
    return n_found + kept


@kernel
def _pick(index: int, turn: int, stride: float) -> int:
    return int((index + PASSES[turn]) * stride)


@kernel
def _was_probed(index: int, turn: int, stride: float) -> bool:
    """Whether an earlier pass looked at the same row, which only its neighbours can have done."""
    pick = _pick(index, turn, stride)
    for earlier in range(turn):
        for near in range(index - 1, index + 2):
            if near >= 0 and _pick(near, earlier, stride) == pick:
                return True
    return False


@kernel
def _row(level: Ints, pick: int) -> int:
    """The row with this number over all ranges of a level."""
    for at in range(len(level)):
        size = level[at, 2] - level[at, 1]
        if pick < size:
            return int(level[at, 1] + pick)
        pick -= size
    return -1


@kernel
def _read(segment: Arrays, dead: Bytes, row: int, depth: int, found: Ints) -> int:
    """Write what follows a row, up to `depth` tokens, into `found`; 0 in dead documents and where nothing follows.

    In reading order the tokens stand in front of the position, last token first.
    """
    position = segment.rows[row] if 0 <= row < len(segment.rows) else 0
    document = document_at(segment.starts, position)
    if document < 0 or (len(dead) and dead[document]):
        return 0
    start = np.int64(segment.starts[document])
    n_tokens = min(depth, position - start)
    if n_tokens <= 0 or position > len(segment.rows):
        return 0
    for at in range(n_tokens):
        dense = token_at(segment, position - 1 - at)
        found[TOKENS + at] = segment.vocabulary[dense - 1] if 0 < dense <= len(segment.vocabulary) else 0
    found[N_TOKENS], found[TRAITS], found[DOCUMENT] = n_tokens, 0, document
    found[OFFSET] = start + segment.lengths[document] - position
    return 1


@kernel
def longest(ints: Ints, weights: Floats, limit: int) -> tuple[Ints, Floats, Ints]:
    """The rows with the longest matches, these first, at most `limit`, and their numbers; ties stay in their order.

    Of the length that is cut, a sample is taken at equal distances of weight: what stands for much is met more often,
    and stands for more then; `weights` are changed so.
    """
    order = _longest(ints, weights, limit) if len(ints) else np.empty(0, np.int32)
    return ints[order], weights[order], order


@kernel
def _longest(ints: Ints, weights: Floats, limit: int) -> Ints:
    order = by_length(ints, int(np.max(ints[:, LENGTH])))
    if len(order) <= limit:
        return order
    last = ints[order[limit - 1], LENGTH]
    begin = end = limit
    while begin > 0 and ints[order[begin - 1], LENGTH] == last:
        begin -= 1
    while end < len(order) and ints[order[end], LENGTH] == last:
        end += 1
    stride = np.sum(weights[order[begin:end]]) / (limit - begin)
    chosen, next_probe, passed = begin, 0.5 * stride, 0.0
    for at in range(begin, end):
        row = order[at]
        passed += weights[row]
        met = 0
        while next_probe <= passed and met + chosen < limit:
            met += 1
            next_probe += stride
        if met:
            weights[row] = met * stride
            order[chosen] = row
            chosen += 1
    return order[:chosen]


@kernel
def by_length(ints: Ints, most: int) -> Ints:
    """Numbers of all rows, the longest match first, else in their order; more than `most` counts as so many.

    Counting them by length is quicker than comparing, and keeps the order of those that are alike.
    """
    at = np.zeros(most + 2, np.int32)
    for row in ints:
        at[most - min(row[LENGTH], most) + 1] += 1
    at = np.cumsum(at).astype(np.int32)
    order = np.empty(len(ints), np.int32)
    for number in range(len(ints)):
        shorter = most - min(ints[number, LENGTH], most)
        order[at[shorter]] = number
        at[shorter] += 1
    return order
