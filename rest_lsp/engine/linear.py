"""Linear layers whose result for a row does not depend on the other rows: the ground of bit-exact verification.

A matrix product sums in an order that a library picks by shape, so a row computed alone and the same row computed among
others differ in the last bit.  Each class here says how it avoids that, or that it does not.
"""

from __future__ import annotations

import warnings
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


class Linear(Protocol):
    """`y = x Wᵀ + b` for rows `[n, n_in]` to `[n, n_out]`."""

    n_bytes: int

    def __call__(self, x: Tensor) -> Tensor: ...


class GuardedRows:
    """Input buffers of `Int8Linear`, by shape, with the guard row in place; the layers of one model share them."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def of(self, n: int, n_in: int) -> tuple[Tensor, Tensor]:
        """`[1 + n, n_in]`, and the part of it that is free for `n` rows; valid until the next call."""
        found = self._kept.get((n, n_in))
        if found is None:
            guarded = torch.zeros(n + 1, n_in)
            guarded[0, 0], guarded[0, 1] = 1.0, -1.0
            found = guarded, guarded[1:]
            if n <= _KEPT_ROWS:
                self._kept[n, n_in] = found
        return found


_KEPT_ROWS = 65
"""Row counts whose buffers stay allocated: those of decoding, not those of prefill."""


class Int8Linear:
    """int8 weights with one scale per output channel, int8 activations with one scale per row.

    torch's dynamic int8 product takes a single scale for the whole batch.  Dividing every row by its own maximum and
    putting the guard row [1, -1, 0, ...] in front pins that scale to 2/255, so a row is quantised alike in any company;
    the products are exact integers, so the sums are too.
    """

    def __init__(self, weight: Tensor, scales: Tensor, bias: Tensor | None, rows: GuardedRows) -> None:
        n_out, self._n_in = weight.shape
        self._packed = pack_int8(weight, scales)
        self._bias, self._rows = bias, rows
        self.n_bytes = weight.numel() + 4 * n_out

    def __call__(self, x: Tensor) -> Tensor:
        guarded, rows = self._rows.of(x.shape[0], self._n_in)
        scale = torch.linalg.vector_norm(x, float("inf"), dim=1, keepdim=True).clamp_min_(1e-9)
        torch.div(x, scale, out=rows)
        y = multiply_int8(guarded, self._packed)[1:]
        y.mul_(scale)
        return y if self._bias is None else y.add_(self._bias)


_linear_dynamic = torch.ops.quantized.linear_dynamic.default


def pack_int8(weight: Tensor, scales: Tensor) -> torch.ScriptObject:
    """Lay out int8 `[n_out, n_in]` with float scales `[n_out]` for the kernel of the chosen engine."""
    zeros = torch.zeros(len(weight), dtype=torch.int64)
    with warnings.catch_warnings():
        # torch announces that these calls will go; pyproject's upper bound on torch is what guards against that.
        warnings.simplefilter("ignore", UserWarning)
        quantised = torch._make_per_channel_quantized_tensor(weight, scales.double(), zeros, 0)
    packed: torch.ScriptObject = torch.ops.quantized.linear_prepack(quantised, None)
    return packed


def multiply_int8(x: Tensor, packed: torch.ScriptObject) -> Tensor:
    """`[n, n_in]` float to `[n, n_out]` float; activations are quantised with one scale for all rows."""
    product: Tensor = _linear_dynamic(x, packed, False)  # noqa: FBT003 - by position it skips a schema match
    return product


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
