"""The integer product: int8 weights with a scale per output, int16 activations with a scale per row.

Sums are exact, so a row's result does not depend on the other rows, on how many there are, or on the processor.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rest_lsp.compiling import kernel
from rest_lsp.engine.kernels.lanes import LANES, PAIR, STEP, make_tile

_BLOCK = 16
"""Pairs of outputs that are finished together, while their weights stay in a near cache for all rows."""

_MOST_ROWS = 6
"""Rows of a tile: twelve sums are what sixteen vector registers hold besides the operands."""

_tile1, _tile2, _tile3, _tile4, _tile5, _tile6 = (make_tile(rows, _BLOCK * PAIR) for rows in range(1, _MOST_ROWS + 1))


def padded(n: int, multiple: int) -> int:
    """The next multiple."""
    return -(-n // multiple) * multiple


def interleave(weights: npt.NDArray[np.int8], out: npt.NDArray[np.int8]) -> None:
    """Lay out int8 `[n_out, n_in]` for `multiply` in `out` `[pairs, steps, PAIR, LANES]`, zeros where there is none."""
    n_out, n_in = weights.shape
    rows = np.zeros((out.shape[0] * PAIR, out.shape[1] * LANES), np.int8)
    rows[:n_out, :n_in] = weights
    out[:] = rows.reshape(out.shape[0], PAIR, out.shape[1], LANES).swapaxes(1, 2)


def interleaved_shape(n_out: int, n_in: int) -> tuple[int, int, int, int]:
    """The shape of `interleave`'s result."""
    return padded(n_out, PAIR) // PAIR, padded(n_in, STEP) // LANES, PAIR, LANES


def largest_activation(n_in: int) -> int:
    """The largest integer that activations may take so that `n_in` products with int8 weights stay within 32 bits.

    More than the 127 of the usual int8 product: the finer grid is free, and makes rounding activations a minor error.
    """
    return min(2**15 - 1, (2**31 - 1) // (127 * n_in))


@kernel
def multiply(
    x: npt.NDArray[np.int16],
    x_scales: npt.NDArray[np.float32],
    n_rows: int,
    weights: npt.NDArray[np.int8],
    w_scales: npt.NDArray[np.float32],
    bias: npt.NDArray[np.float32],
    out: npt.NDArray[np.float32],
    factor: np.float32,
    adds: bool,
    part: int,
    n_parts: int,
) -> None:
    """One thread's part of `out = x Wᵀ + bias`, or of `out += factor * (x Wᵀ + bias)` when `adds`.

    x         [n_rows or more, n_in padded]
    weights   see `interleave`; w_scales, bias  [n_out padded]
    out       [n_rows or more, n_out or more]
    """
    n_pairs = weights.shape[0]
    first, last = part * n_pairs // n_parts, (part + 1) * n_pairs // n_parts
    sums = np.empty((_MOST_ROWS, _BLOCK * PAIR), np.int32)
    n_groups = (n_rows + _MOST_ROWS - 1) // _MOST_ROWS
    for block in range(first, last, _BLOCK):
        end = min(block + _BLOCK, last)
        columns = slice(block * PAIR, end * PAIR)
        for group in range(n_groups):
            row, next_row = group * n_rows // n_groups, (group + 1) * n_rows // n_groups
            _add_up(x[row:next_row], weights[block:end], sums)
            for i in range(next_row - row):
                _scale(
                    sums[i], x_scales[row + i], w_scales[columns], bias[columns], out[row + i, columns], factor, adds
                )


@kernel
def _scale(
    sums: npt.NDArray[np.int32],
    x_scale: np.float32,
    w_scales: npt.NDArray[np.float32],
    bias: npt.NDArray[np.float32],
    out: npt.NDArray[np.float32],
    factor: np.float32,
    adds: bool,
) -> None:
    if adds:
        for i in range(len(out)):
            out[i] += (np.float32(sums[i]) * (x_scale * w_scales[i]) + bias[i]) * factor
    else:
        for i in range(len(out)):
            out[i] = np.float32(sums[i]) * (x_scale * w_scales[i]) + bias[i]


@kernel
def _add_up(x: npt.NDArray[np.int16], weights: npt.NDArray[np.int8], sums: npt.NDArray[np.int32]) -> None:
    """Integer dot products of at most _MOST_ROWS rows with at most _BLOCK pairs."""
    n, pair_bytes = x.shape[1], PAIR * x.shape[1]
    rows, first_pair, target = x.ctypes.data, weights.ctypes.data, sums.ctypes.data
    for pair in range(weights.shape[0]):
        pair_weights, pair_sums = first_pair + pair_bytes * pair, target + PAIR * sums.itemsize * pair
        if x.shape[0] == 1:
            _tile1(rows, pair_weights, n, pair_sums)
        elif x.shape[0] == 2:
            _tile2(rows, pair_weights, n, pair_sums)
        elif x.shape[0] == 3:
            _tile3(rows, pair_weights, n, pair_sums)
        elif x.shape[0] == 4:
            _tile4(rows, pair_weights, n, pair_sums)
        elif x.shape[0] == 5:
            _tile5(rows, pair_weights, n, pair_sums)
        else:
            _tile6(rows, pair_weights, n, pair_sums)
