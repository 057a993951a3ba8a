"""The integer product: int8 weights with a scale per output, int16 activations with a scale per row.

Sums are exact, so a row's result does not depend on the other rows, on how many there are, or on the processor.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rest_lsp.compiling import kernel
from rest_lsp.engine.kernels.dot_products import LANES, N_REGISTERS, PAIR, STEP, make_tiles

_BLOCK = 8
"""Pairs of outputs that are finished together, while their weights stay in a near cache for all rows."""

_PANEL = 1280
"""Columns, at most, that are multiplied at a time: so much of the rows of a tile stays in the nearest cache."""

_MOST_ROWS = 9 if N_REGISTERS >= 32 else 6
"""Rows of a tile: their sums, two each, and their operands, which LLVM loads all at once, fill the vector registers."""

_NEAR_BYTES = 24 * 1024
"""Rows of a panel that stay in the nearest cache beside the weights that pass through it."""

_SCALED = 16
"""Blocks whose sums are scaled together: long rows go through vector registers, and sums that have just been stored one
by one are not read yet."""

_SUMS_STRIDE = (_SCALED + 1) * _BLOCK * PAIR
"""Sums from one row to the next: no power of two, with which all rows' would compete for a few places of a cache."""

_tile = make_tiles(_MOST_ROWS, _SUMS_STRIDE)


def padded(n: int, multiple: int) -> int:
    """The next multiple."""
    return -(-n // multiple) * multiple


def padded_columns(n_in: int) -> int:
    """So many columns that they divide into panels of equal width."""
    return padded(n_in, STEP * _n_panels(n_in))


def _n_panels(n_in: int) -> int:
    return -(-n_in // _PANEL)


def interleave(weights: npt.NDArray[np.int8], out: npt.NDArray[np.int8]) -> None:
    """Lay out int8 `[n_out, n_in]` for `multiply` in `out`, see `interleaved_shape`; zeros where there is none."""
    n_out, n_in = weights.shape
    n_blocks, n_panels, pairs, steps, outs, lanes = out.shape
    rows = np.zeros((n_blocks * pairs * outs, n_panels * steps * lanes), np.int8)
    rows[:n_out, :n_in] = weights
    out[:] = rows.reshape(n_blocks, pairs, outs, n_panels, steps, lanes).transpose(0, 3, 1, 4, 2, 5)


def interleaved_shape(n_out: int, n_in: int) -> tuple[int, int, int, int, int, int]:
    """Blocks, panels, pairs of outputs, steps, outputs of a pair, lanes: all in the order in which they are read."""
    n_panels = _n_panels(n_in)
    n_blocks = padded_outputs(n_out) // (_BLOCK * PAIR)
    return n_blocks, n_panels, _BLOCK, padded_columns(n_in) // n_panels // LANES, PAIR, LANES


def padded_outputs(n_out: int) -> int:
    """Outputs with those that fill the last block."""
    return padded(n_out, _BLOCK * PAIR)


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
    n_blocks, n_panels, block_columns = weights.shape[0], weights.shape[1], _BLOCK * PAIR
    width = x.shape[1] // n_panels
    sums = np.empty((n_rows, _SUMS_STRIDE), np.int32)
    end = (part + 1) * n_blocks // n_parts
    for first in range(part * n_blocks // n_parts, end, _SCALED):
        last = min(first + _SCALED, end)
        sums[:] = 0
        for block in range(first, last):
            of_block = sums[:, (block - first) * block_columns : (block - first + 1) * block_columns]
            for panel in range(n_panels):
                _add_up(x[:n_rows, panel * width : (panel + 1) * width], weights[block, panel], of_block)
        columns = slice(first * block_columns, last * block_columns)
        for row in range(n_rows):
            _scale(sums[row], x_scales[row], w_scales[columns], bias[columns], out[row, columns], factor, adds)


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
    """Integer dot products of all rows with the pairs of one panel, added to `sums`.

    Few rows take turns with each pair, many with each block.  While a second group of rows finds the weights near,
    nothing is asked of the memory, so such a time has to be short; but the rows have to stay near, too.
    """
    n_rows, n, n_pairs = x.shape[0], x.shape[1], weights.shape[0]
    n_groups = (n_rows + _MOST_ROWS - 1) // _MOST_ROWS
    turn = 1 if n_rows * n * x.itemsize <= _NEAR_BYTES else n_pairs
    row_bytes, pair_bytes, sum_bytes = x.strides[0], PAIR * n, sums.strides[0]
    x_stride = row_bytes // x.itemsize
    rows, first_pair, target = x.ctypes.data, weights.ctypes.data, sums.ctypes.data
    for begin in range(0, n_pairs, turn):
        for group in range(n_groups):
            row, next_row = group * n_rows // n_groups, (group + 1) * n_rows // n_groups
            for pair in range(begin, min(begin + turn, n_pairs)):
                pair_sums = target + row * sum_bytes + pair * PAIR * sums.itemsize
                _tile(next_row - row, rows + row * row_bytes, x_stride, first_pair + pair * pair_bytes, n, pair_sums)
