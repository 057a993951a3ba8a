"""Linear layers whose result for a row does not depend on the other rows: the ground of bit-exact verification.

A matrix product sums in an order that a library picks by shape, so a row computed alone and the same row computed among
others differ in the last bit.  Each class here says how it avoids that, or that it does not.
"""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


class Linear(Protocol):
    """`y = x Wᵀ + b` for rows `[n, n_in]` to `[n, n_out]`."""

    n_bytes: int

    def __call__(self, x: Tensor) -> Tensor: ...


class RowLinear:
    """Floating-point weights; every row is multiplied alone, as in plain decoding.  Exact, not fast."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight, self._bias = weight, bias
        self.n_bytes = weight.numel() * weight.element_size()

    def __call__(self, x: Tensor) -> Tensor:
        # A fresh copy of each row has the alignment that a single row has; a view inside the batch may not.
        return torch.cat([F.linear(row.clone(), self._weight, self._bias) for row in torch.split(x, 1)])


class DenseLinear:
    """Floating-point weights, all rows in one product.  For accelerators: fast, equal up to rounding only."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight, self._bias = weight, bias
        self.n_bytes = weight.numel() * weight.element_size()

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x, self._weight, self._bias)
