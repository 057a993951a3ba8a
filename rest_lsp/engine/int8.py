"""Does the int8 kernel of this CPU add exactly?  Found out by integer arithmetic, not from a list of CPUs.

Without VNNI the kernels add pairs of u8*s8 products in 16 bits, which saturate without a word: wrong by up to 93 % on
adversarial weights.  Weights within +-63 keep 2 * 255 * 63 below 2**15 and are exact everywhere.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rest_lsp.engine.linear import multiply_int8, pack_int8

_STEP = 2 / 255
"""One step of an activation when the guard row spans [-1, 1]."""


def kernel_sums_are_exact(limit: int) -> bool:
    """Whether products with weights of +-`limit` equal exact integer arithmetic on the inputs that saturate first."""
    return all(largest_error(weights, rows) == 0 for weights in _worst_weights(limit) for rows in _worst_rows())


def largest_error(weights: Tensor, rows: Tensor) -> int:
    """The largest difference between the kernel's sums and exact ones.

    weights  int8 `[n_out, n_in]`
    rows     integers within +-127, `[n, n_in]`: what the activations are after quantising
    """
    guard = torch.zeros(1, rows.shape[1])
    guard[0, 0], guard[0, 1] = 1.0, -1.0
    guarded = torch.cat([guard, rows.float() * _STEP])
    product = multiply_int8(guarded, pack_int8(weights, torch.ones(len(weights))))[1:]
    exact = rows.double() @ weights.double().T
    return int(((product.double() / _STEP).round() - exact).abs().max())


_N_OUT, _N_IN = 64, 128
"""Small enough that float32 results still tell neighbouring integers apart."""


def _worst_weights(limit: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    signs = torch.randint(0, 2, (_N_OUT, _N_IN), generator=generator) * 2 - 1
    spread = torch.randint(-limit, limit + 1, (_N_OUT, _N_IN), generator=generator)
    same = torch.full((_N_OUT, _N_IN), limit)
    return [weights.to(torch.int8) for weights in (signs * limit, spread, same, -same)]


def _worst_rows() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    signs = torch.randint(0, 2, (8, _N_IN), generator=generator) * 2 - 1
    spread = torch.randint(-127, 128, (8, _N_IN), generator=generator)
    same = torch.full((8, _N_IN), 127)
    return [signs * 127, spread, same, -same]
