"""The phases of a pass that are divided between threads; each ends when all threads are done with it.

Rows are dealt out in turns, since later rows of a prompt have more to attend to.  What a thread computes does not
depend on who computes the rest.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import prange

from rest_lsp.compiling import parallel_kernel
from rest_lsp.engine.kernels.attention import MOST_ROWS, SLOTS, attend
from rest_lsp.engine.kernels.product import multiply
from rest_lsp.engine.kernels.rows import gate, normalise, rotate, to_integers

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Activations = npt.NDArray[np.int16]


@parallel_kernel
def multiply_rows(
    x: Activations,
    x_scales: Floats,
    n_rows: int,
    weights: npt.NDArray[np.int8],
    w_scales: Floats,
    bias: Floats,
    out: Floats,
    factor: np.float32,
    adds: bool,
    n_threads: int,
) -> None:
    """See `product.multiply`."""
    for part in prange(n_threads):
        multiply(x, x_scales, n_rows, weights, w_scales, bias, out, factor, adds, part, n_threads)


@parallel_kernel
def normalise_rows(
    hidden: Floats,
    normal: Floats,
    n_rows: int,
    weight: Floats,
    eps: np.float32,
    largest: np.float32,
    out: Activations,
    scales: Floats,
    n_threads: int,
) -> None:
    """RMSNorm, then integers with a scale per row."""
    for part in prange(n_threads):
        for row in range(part, n_rows, n_threads):
            normalise(hidden[row], weight, eps, normal[row])
            scales[row] = to_integers(normal[row], largest, out[row])


@parallel_kernel
def rotate_rows(
    projected: Floats,
    depths: Integers,
    past: int,
    n_heads: int,
    scale: np.float32,
    query_norm: Floats,
    key_norm: Floats,
    eps: np.float32,
    cos: Floats,
    sin: Floats,
    keys: Floats,
    values: Floats,
    n_threads: int,
) -> None:
    """Finish the queries in place, and write every row's keys and values to its slot.

    query_norm, key_norm  [head_dim], or empty in models without
    """
    n_kv_heads, d = keys.shape[0], keys.shape[2]
    for part in prange(n_threads):
        for row in range(part, len(depths), n_threads):
            position, slot = past + depths[row], past + row
            for head in range(n_heads + n_kv_heads):
                vector = projected[row, head * d : (head + 1) * d]
                norm = query_norm if head < n_heads else key_norm
                if len(norm) > 0:
                    normalise(vector, norm, eps, vector)
                rotate(vector, cos[position], sin[position])
                if head < n_heads:
                    for i in range(d):
                        vector[i] *= scale
                    continue
                value = projected[row, (head + n_kv_heads) * d : (head + n_kv_heads + 1) * d]
                for i in range(d):
                    keys[head - n_heads, slot // SLOTS, i, slot % SLOTS] = vector[i]
                    values[head - n_heads, slot, i] = value[i]


@parallel_kernel
def attend_rows(
    projected: Floats,
    depths: Integers,
    paths: Integers,
    past: int,
    n_heads: int,
    keys: Floats,
    values: Floats,
    scores: Floats,
    out: Floats,
    n_threads: int,
) -> None:
    """Every head of every row; `scores` is scratch, [n_threads, …], see `attention.scratch_shape`."""
    n, n_groups = len(depths), keys.shape[0]
    group = n_heads // n_groups
    # Rows share what is read of keys and values, and so do the heads of a group; both are split before threads idle.
    n_batches = max((n + MOST_ROWS - 1) // MOST_ROWS, min(n, n_threads // n_heads))
    splits = min(group, (n_threads + n_batches * n_groups - 1) // (n_batches * n_groups))
    n_tasks = n_batches * n_groups * splits
    for part in prange(n_threads):
        for task in range(part, n_tasks, n_threads):
            batch, kv_head, split = task // splits // n_groups, task // splits % n_groups, task % splits
            rows = slice(batch * n // n_batches, (batch + 1) * n // n_batches)
            first, end = split * group // splits, (split + 1) * group // splits
            attend(
                projected[rows],
                kv_head * group + first,
                end - first,
                keys[kv_head],
                values[kv_head],
                past,
                depths[rows],
                paths[rows],
                scores[part],
                out[rows],
            )


@parallel_kernel
def round_rows(x: Floats, n_rows: int, largest: np.float32, out: Activations, scales: Floats, n_threads: int) -> None:
    """Integers with a scale per row."""
    for part in prange(n_threads):
        for row in range(part, n_rows, n_threads):
            scales[row] = to_integers(x[row], largest, out[row])


@parallel_kernel
def gate_rows(
    projected: Floats,
    gated: Floats,
    n_rows: int,
    largest: np.float32,
    out: Activations,
    scales: Floats,
    n_threads: int,
) -> None:
    """SwiGLU, then integers with a scale per row."""
    for part in prange(n_threads):
        for row in range(part, n_rows, n_threads):
            gate(projected[row], gated[row])
            scales[row] = to_integers(gated[row], largest, out[row])
