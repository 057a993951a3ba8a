"""Attention of rows of a pass, whose sums are those of plain decoding in the same order, whatever tree they stand in.

A row sees the tokens before the pass and its own ancestors.  Their scores are laid side by side as if they stood in
consecutive slots, so nothing that follows can tell a path in a tree from text that was decoded token by token.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rest_lsp.compiling import kernel, reordering_kernel
from rest_lsp.engine.kernels.lanes import fma
from rest_lsp.engine.kernels.rows import exponential, largest
from rest_lsp.engine.kernels.weighted_sums import MOST_WEIGHTS, WIDTH, make_weighted_sums

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

SLOTS = WIDTH
"""Neighbouring slots whose keys lie together, as a block."""

MOST_ROWS = 4
"""Rows that are attended together: they share what is read of keys and values, while their scores stay near."""

_STRETCH = 64
"""Slots whose values stay in the nearest cache for all rows and heads."""

_add_scores = make_weighted_sums(continues=False)
_add_values = make_weighted_sums(continues=True)


def n_blocks(n_slots: int) -> int:
    """Blocks that hold so many slots."""
    return -(-n_slots // SLOTS)


def scratch_shape(group: int, capacity: int) -> tuple[int, int]:
    """Scores of all heads that a thread attends at a time; those of the last block's other slots are written, too."""
    return MOST_ROWS * group, n_blocks(capacity) * SLOTS


@kernel
def attend(
    queries: Floats,
    first: int,
    n_heads: int,
    keys: Floats,
    values: Floats,
    past: int,
    depths: Integers,
    paths: Integers,
    scores: Floats,
    out: Floats,
) -> None:
    """softmax(queries keysᵀ) values over the slots [0, past) and past + path, for heads that share keys and values.

    queries, out  [rows, head_dim for each head …], of which heads [first, first + n_heads) are read and written;
                  queries are scaled, and what stands behind them is not looked at
    keys          [blocks, head_dim, SLOTS]: a column for each slot, so that a register holds neighbouring slots
    values        [capacity, head_dim]
    depths        [rows]
    paths         [rows, …]: paths[i, : depths[i] + 1] are row i's ancestors in the pass and itself, ascending
    scores        scratch, see `scratch_shape`
    """
    last = len(depths) - 1
    _score(queries, first, n_heads, keys, past + paths[last, depths[last]] + 1, scores)
    for row in range(len(depths)):
        path = paths[row, : depths[row] + 1]
        for head in range(n_heads):
            line = scores[row * n_heads + head]
            for i in range(len(path)):
                line[past + i] = line[past + path[i]]
            _to_shares(line[: past + len(path)])
    _blend(scores, first, n_heads, values, past, out)
    d = values.shape[1]
    for row in range(len(depths)):
        for head in range(n_heads):
            shares, column = scores[row * n_heads + head], (first + head) * d
            for i in range(depths[row] + 1):
                _add(shares[past + i], values[past + paths[row, i]], out[row, column : column + d])


@kernel
def _score(queries: Floats, first: int, n_heads: int, keys: Floats, n: int, scores: Floats) -> None:
    """Dot products with the first `n` keys, and with what stands behind them in their last block."""
    d, stride = keys.shape[1], scores.shape[1]
    for block in range((n + SLOTS - 1) // SLOTS):
        vectors = keys[block].ctypes.data
        for row in range(queries.shape[0]):
            for head in range(0, n_heads, MOST_WEIGHTS):
                weights = queries[row, (first + head) * d :].ctypes.data
                target = scores[row * n_heads + head, block * SLOTS :].ctypes.data
                _add_scores(n_heads - head, weights, d, vectors, SLOTS, d, target, stride)


@reordering_kernel
def _sum(scores: Floats) -> np.float32:
    total = np.float32(0)
    for i in range(len(scores)):
        total += scores[i]
    return total


@kernel
def _to_shares(scores: Floats) -> None:
    """Softmax in place."""
    above = largest(scores)
    for i in range(len(scores)):
        scores[i] = exponential(scores[i] - above)
    inverse = np.float32(1) / _sum(scores)
    for i in range(len(scores)):
        scores[i] *= inverse


@kernel
def _blend(shares: Floats, first: int, n_heads: int, values: Floats, past: int, out: Floats) -> None:
    """Sums of shares times values over the slots before the pass, slot after slot."""
    d = values.shape[1]
    out[:, first * d : (first + n_heads) * d] = 0
    for start in range(0, past, _STRETCH):
        n = min(_STRETCH, past - start)
        for row in range(out.shape[0]):
            for column in range(0, d - WIDTH + 1, WIDTH):
                _blend_columns(shares, row, first, n_heads, values, start, n, column, out)
            _blend_rest(shares, row, first, n_heads, values, start, n, out)


@kernel
def _blend_columns(
    shares: Floats, row: int, first: int, n_heads: int, values: Floats, start: int, n: int, column: int, out: Floats
) -> None:
    """WIDTH columns of all heads of a row."""
    d, stride = values.shape[1], shares.shape[1]
    vectors = values[start, column:].ctypes.data
    for head in range(0, n_heads, MOST_WEIGHTS):
        weights = shares[row * n_heads + head, start:].ctypes.data
        target = out[row, (first + head) * d + column :].ctypes.data
        _add_values(n_heads - head, weights, stride, vectors, d, n, target, d)


@kernel
def _blend_rest(
    shares: Floats, row: int, first: int, n_heads: int, values: Floats, start: int, n: int, out: Floats
) -> None:
    """The columns behind the last WIDTH, which few models have."""
    d = values.shape[1]
    for column in range(d // WIDTH * WIDTH, d):
        for head in range(n_heads):
            total = out[row, (first + head) * d + column]
            for slot in range(start, start + n):
                total = fma(shares[row * n_heads + head, slot], values[slot, column], total)
            out[row, (first + head) * d + column] = total


@kernel
def _add(share: np.float32, value: Floats, out: Floats) -> None:
    for d in range(len(out)):
        out[d] = fma(share, value[d], out[d])
