"""Attention of one row of a pass, whose sums are those of plain decoding in the same order, whatever tree it stands in.

A row sees the tokens before the pass and its own ancestors.  Their scores are laid side by side as if they stood in
consecutive slots, so nothing that follows can tell a path in a tree from text that was decoded token by token.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rest_lsp.compiling import kernel, reordering_kernel
from rest_lsp.engine.kernels.lanes import fma
from rest_lsp.engine.kernels.rows import exponential, largest

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


@kernel
def attend(
    queries: Floats, keys: Floats, values: Floats, past: int, path: Integers, scores: Floats, out: Floats
) -> None:
    """softmax(queries keysᵀ) values over the slots [0, past) and past + path, for heads that share keys and values.

    queries, out  [heads, head_dim]; queries are scaled
    keys          [head_dim, capacity]: a column for each slot, so that a register holds neighbouring slots
    values        [capacity, head_dim]
    path          the row's ancestors in the pass and itself, ascending
    scores        scratch, [heads or more, capacity]
    """
    _score(queries, keys, past + path[-1] + 1, scores)
    for head in range(len(queries)):
        for i in range(len(path)):
            scores[head, past + i] = scores[head, past + path[i]]
        _to_shares(scores[head, : past + len(path)])
    _blend(scores, values, past, path, out)


@kernel
def _score(queries: Floats, keys: Floats, n: int, scores: Floats) -> None:
    """Dot products with the first `n` keys.

    Four dimensions at a time, which saves passes over `scores`; all heads take turns while those keys are near.
    """
    for head in range(len(queries)):
        for slot in range(n):
            scores[head, slot] = np.float32(0)
    for d in range(0, keys.shape[0], 4):
        k0, k1, k2, k3 = keys[d], keys[d + 1], keys[d + 2], keys[d + 3]
        for head in range(len(queries)):
            q, row = queries[head], scores[head]
            q0, q1, q2, q3 = q[d], q[d + 1], q[d + 2], q[d + 3]
            for slot in range(n):
                partial = fma(q1, k1[slot], fma(q0, k0[slot], row[slot]))
                row[slot] = fma(q3, k3[slot], fma(q2, k2[slot], partial))


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
def _blend(shares: Floats, values: Floats, past: int, path: Integers, out: Floats) -> None:
    """Sum of shares times values, slot after slot; four slots at a time, in the same order as one at a time."""
    for head in range(len(out)):
        for d in range(out.shape[1]):
            out[head, d] = np.float32(0)
    in_fours = past // 4 * 4
    for slot in range(0, in_fours, 4):
        v0, v1, v2, v3 = values[slot], values[slot + 1], values[slot + 2], values[slot + 3]
        for head in range(len(out)):
            share, row = shares[head], out[head]
            s0, s1, s2, s3 = share[slot], share[slot + 1], share[slot + 2], share[slot + 3]
            for d in range(len(row)):
                partial = fma(s1, v1[d], fma(s0, v0[d], row[d]))
                row[d] = fma(s3, v3[d], fma(s2, v2[d], partial))
    for head in range(len(out)):
        for slot in range(in_fours, past):
            _add(shares[head, slot], values[slot], out[head])
        for i in range(len(path)):
            _add(shares[head, past + i], values[past + path[i]], out[head])


@kernel
def _add(share: np.float32, value: Floats, out: Floats) -> None:
    for d in range(len(out)):
        out[d] = fma(share, value[d], out[d])
