"""int8 weights times 16-bit activations on GPUs, one kernel for passes of every width.  Needs Triton, which comes with
torch for CUDA on Linux.

Weights are read once per 64 rows, as int8, and become numbers of the activations' type in registers only.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

_MOST_ROWS, _OUT, _IN = 64, 32, 128
"""Of one block: rows of activations, outputs, and the stretch of inputs that is multiplied at a time."""


def product(x: Tensor, weight: Tensor, scales: Tensor) -> Tensor:
    """`x` [n, n_in] times int8 `weight` [n_out, n_in], times float32 `scales` [n_out]: [n, n_out] in the type of x."""
    (n, n_in), n_out = x.shape, len(weight)
    out = torch.empty(n, n_out, dtype=x.dtype, device=x.device)
    rows = min(_MOST_ROWS, max(16, triton.next_power_of_2(n)))
    # Blocks that read the same weights stand side by side, so that all but the first find them in the cache.
    grid = (triton.cdiv(n, rows), triton.cdiv(n_out, _OUT))
    _multiply[grid](x.contiguous(), weight, scales, out, n, n_out, n_in, rows, _OUT, _IN)
    return out


@triton.jit  # type: ignore[untyped-decorator]
def _multiply(  # type: ignore[no-untyped-def]
    x, weight, scales, out, n, n_out, n_in, ROWS: tl.constexpr, OUT: tl.constexpr, IN: tl.constexpr
):
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    outs = (tl.program_id(1) * OUT + tl.arange(0, OUT)).to(tl.int64)
    are_rows, are_outs = rows < n, outs < n_out
    sums = tl.zeros((ROWS, OUT), tl.float32)
    for start in range(0, n_in, IN):
        ins = start + tl.arange(0, IN)
        are_ins = ins < n_in
        a = tl.load(x + rows[:, None] * n_in + ins[None, :], mask=are_rows[:, None] & are_ins[None, :], other=0.0)
        w = tl.load(weight + outs[:, None] * n_in + ins[None, :], mask=are_outs[:, None] & are_ins[None, :], other=0)
        sums = tl.dot(a, tl.trans(w.to(a.dtype)), sums, input_precision="ieee")
    scaled = sums * tl.load(scales + outs, mask=are_outs, other=0.0)[None, :]
    places = out + rows[:, None] * n_out + outs[None, :]
    tl.store(places, scaled.to(out.dtype.element_ty), mask=are_rows[:, None] & are_outs[None, :])
