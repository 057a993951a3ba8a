"""Does the compiled product add exactly on this processor, and who runs its threads?  Found out, not looked up."""

from __future__ import annotations

from collections.abc import Iterator

import llvmlite.binding as llvm
import numba
import numpy as np
import numpy.typing as npt

from rest_lsp.engine.kernels.phases import round_rows
from rest_lsp.engine.kernels.product import (
    interleave,
    interleaved_shape,
    largest_activation,
    multiply,
    padded_columns,
    padded_outputs,
)

_N_OUT, _ROW_COUNTS = 70, range(1, 14)


def product_is_exact(n_in: int) -> bool:
    """Whether products of `n_in` terms equal exact sums for the inputs that overflow or saturate first."""
    return all(
        np.array_equal(
            product(rows[:n], weights), (rows[:n].astype(np.int64) @ weights.T.astype(np.int64)).astype("f4")
        )
        for weights in _worst(127, _N_OUT, n_in)
        for rows in _worst(largest_activation(n_in), max(_ROW_COUNTS), n_in)
        for n in _ROW_COUNTS
    )


def product(
    rows: npt.NDArray[np.int64], weights: npt.NDArray[np.int64], *, n_parts: int = 1
) -> npt.NDArray[np.float32]:
    """`rows weightsᵀ` by the kernel in so many parts, all scales being 1; rows within int16, weights within int8."""
    laid_out = np.empty(interleaved_shape(*weights.shape), np.int8)
    interleave(weights.astype(np.int8), laid_out)
    n_padded = padded_outputs(len(weights))
    x = np.zeros((len(rows), padded_columns(weights.shape[1])), np.int16)
    x[:, : rows.shape[1]] = rows
    ones, out = np.ones(max(n_padded, len(rows)), np.float32), np.empty((len(rows), n_padded), np.float32)
    nothing = np.zeros(n_padded, np.float32)
    for part in range(n_parts):
        multiply(x, ones, len(rows), laid_out, ones, nothing, out, np.float32(1), False, part, n_parts)
    return out[:, : len(weights)]


def thread_pool() -> str:
    """Which library runs parallel loops: omp, tbb, or the slow workqueue that numba brings for want of them."""
    scales = np.zeros(1, np.float32)
    round_rows(np.zeros((1, 16), np.float32), 1, np.float32(1), np.zeros((1, 16), np.int16), scales, 1)
    return str(numba.threading_layer())  # type: ignore[attr-defined]


def compiled_for() -> str:
    """The processor whose instructions the kernels may use, by LLVM's name for it."""
    return str(llvm.get_host_cpu_name())


def _worst(limit: int, n: int, n_in: int) -> Iterator[npt.NDArray[np.int64]]:
    draw = np.random.default_rng(n_in)
    yield draw.choice([-limit, limit], (n, n_in))
    yield draw.integers(-limit, limit + 1, (n, n_in))
    yield np.full((n, n_in), limit)
    yield np.full((n, n_in), -limit)
