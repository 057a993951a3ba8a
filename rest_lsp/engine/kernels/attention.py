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
from rest_lsp.engine.kernels.weighted_sums import MOST_WEIGHTS, SLOTS, make_weighted_sums

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

MOST_ROWS = 4
"""Rows that are attended together: they share what is read of keys and values, while their scores stay near."""

_STRETCH = 64
"""Slots whose values stay in the nearest cache for all rows and heads."""

_score1, _score2, _score3, _score4 = (make_weighted_sums(n, continues=False) for n in range(1, MOST_WEIGHTS + 1))
_blend1, _blend2, _blend3, _blend4 = (make_weighted_sums(n, continues=True) for n in range(1, MOST_WEIGHTS + 1))


@kernel
def attend(
    queries: Floats,
    d: int,
    keys: Floats,
    values: Floats,
    past: int,
    depths: Integers,
    paths: Integers,
    scores: Floats,
    out: Floats,
) -> None:
    """softmax(queries keysᵀ) values over the slots [0, past) and past + path, for heads that share keys and values.

    queries, out  [rows, heads * d], parts of longer rows; queries are scaled
    keys          [blocks, d, SLOTS]: a column for each slot, so that a register holds neighbouring slots
    values        [capacity, d]
    depths        [rows]
    paths         [rows, …]: paths[i, : depths[i] + 1] are row i's ancestors in the pass and itself, ascending
    scores        scratch, [rows * heads or more, capacity]
    """
    n_heads = queries.shape[1] // d
    furthest = 0
    for row in range(len(depths)):
        furthest = max(furthest, paths[row, depths[row]])
    _score(queries, d, keys, past + furthest + 1, scores)
    for row in range(len(depths)):
        path = paths[row, : depths[row] + 1]
        for head in range(n_heads):
            line = scores[row * n_heads + head]
            for i in range(len(path)):
                line[past + i] = line[past + path[i]]
            _to_shares(line[: past + len(path)])
    _blend(scores, d, values, past, out)
    for row in range(len(depths)):
        for head in range(n_heads):
            line = scores[row * n_heads + head]
            for i in range(depths[row] + 1):
                _add(line[past + i], values[past + paths[row, i]], out[row, head * d : (head + 1) * d])


@kernel
def _score(queries: Floats, d: int, keys: Floats, n: int, scores: Floats) -> None:
    """Dot products with the first `n` keys, and with what stands behind them in their last block."""
    n_heads = queries.shape[1] // d
    capacity = scores.shape[1]
    for block in range((n + SLOTS - 1) // SLOTS):
        vectors = keys[block].ctypes.data
        for row in range(queries.shape[0]):
            for head in range(0, n_heads, MOST_WEIGHTS):
                weights = queries[row, head * d :].ctypes.data
                target = scores[row * n_heads + head, block * SLOTS :].ctypes.data
                left = n_heads - head
                if left == 1:
                    _score1(weights, d, vectors, SLOTS, d, target, capacity)
                elif left == 2:
                    _score2(weights, d, vectors, SLOTS, d, target, capacity)
                elif left == 3:
                    _score3(weights, d, vectors, SLOTS, d, target, capacity)
                else:
                    _score4(weights, d, vectors, SLOTS, d, target, capacity)


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
def _blend(shares: Floats, d: int, values: Floats, past: int, out: Floats) -> None:
    """Sums of shares times values over the slots before the pass, slot after slot."""
    for row in range(out.shape[0]):
        for i in range(out.shape[1]):
            out[row, i] = np.float32(0)
    for start in range(0, past, _STRETCH):
        n = min(_STRETCH, past - start)
        for row in range(out.shape[0]):
            for column in range(0, d - SLOTS + 1, SLOTS):
                _blend_columns(shares, row, d, values, start, n, column, out)
            _blend_rest(shares, row, d, values, start, n, out)


@kernel
def _blend_columns(
    shares: Floats, row: int, d: int, values: Floats, start: int, n: int, column: int, out: Floats
) -> None:
    """SLOTS columns of all heads of a row."""
    n_heads = out.shape[1] // d
    capacity = shares.shape[1]
    vectors = values[start, column:].ctypes.data
    for head in range(0, n_heads, MOST_WEIGHTS):
        weights = shares[row * n_heads + head, start:].ctypes.data
        target = out[row, head * d + column :].ctypes.data
        left = n_heads - head
        if left == 1:
            _blend1(weights, capacity, vectors, d, n, target, d)
        elif left == 2:
            _blend2(weights, capacity, vectors, d, n, target, d)
        elif left == 3:
            _blend3(weights, capacity, vectors, d, n, target, d)
        else:
            _blend4(weights, capacity, vectors, d, n, target, d)


@kernel
def _blend_rest(shares: Floats, row: int, d: int, values: Floats, start: int, n: int, out: Floats) -> None:
    """The columns behind the last SLOTS, which few models have."""
    n_heads = out.shape[1] // d
    for column in range(d // SLOTS * SLOTS, d):
        for head in range(n_heads):
            for slot in range(start, start + n):
                share = shares[row * n_heads + head, slot]
                out[row, head * d + column] = fma(share, values[slot, column], out[row, head * d + column])


@kernel
def _add(share: np.float32, value: Floats, out: Floats) -> None:
    for d in range(len(out)):
        out[d] = fma(share, value[d], out[d])
