"""Linear layers on accelerators with int8 weights: half the bytes of 16 bits, for models that would not fit otherwise.

torch's own `_weight_int8pack_mm` reads the weights anew for each row and converts activations to float32
(https://github.com/pytorch/pytorch/pull/159325), so it is not used.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Product = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(activations [n, n_in], int8 weights [n_out, n_in], float32 scales [n_out]) -> [n, n_out] like the activations."""

_TOLERANCE = 2e-2
"""Of a trial in 16 bits, beside the greatest of its results."""

log = logging.getLogger(__name__)


class Int8Linear:
    """Weights int8 with one scale per output, activations in floating point; all rows in one product."""

    def __init__(self, weight: Tensor, scales: Tensor, bias: Tensor | None, product: Product) -> None:
        self._weight, self._scales, self._bias, self._product = weight, scales, bias, product
        self.n_bytes = weight.nbytes + scales.nbytes

    def __call__(self, x: Tensor) -> Tensor:
        y = self._product(x, self._weight, self._scales)
        return y if self._bias is None else y + self._bias


def dequantised(x: Tensor, weight: Tensor, scales: Tensor) -> Tensor:
    """On any device; the weights go through memory once more, as numbers of the activations' type."""
    # Every int8 is exact in bfloat16, too, and scales are applied to the sums: nothing is rounded but those.
    return (F.linear(x, weight.to(x.dtype)).float() * scales).to(x.dtype)


def choose_product(device: torch.device, dtype: torch.dtype) -> Product:
    """Triton's kernel where there is Triton and the kernel agrees with `dequantised` on this very device."""
    if device.type == "cuda":
        try:
            from rest_lsp.engine.int8_triton import product
        except ImportError:
            log.info("int8 weights are dequantised for each product, which is slower: Triton is not installed.")
            return dequantised
        if trouble := trouble_with(product, device, dtype):
            log.warning("int8 weights are dequantised for each product, which is slower: %s.", trouble)
            return dequantised
        return product
    return dequantised


def trouble_with(product: Product, device: torch.device, dtype: torch.dtype) -> str | None:
    """What is wrong with `product`; None when it multiplies rightly in several shapes.

    A compiler that fails on a device may raise anything; whatever it is, there is another way.
    """
    draw = torch.Generator().manual_seed(1)
    for n, n_out, n_in in ((1, 96, 256), (16, 130, 200), (65, 48, 896)):
        x = torch.randn(n, n_in, generator=draw).to(device, dtype)
        weight = torch.randint(-127, 128, (n_out, n_in), dtype=torch.int8, generator=draw).to(device)
        scales = torch.rand(n_out, generator=draw).to(device)
        expected = dequantised(x, weight, scales).float()
        try:
            error = float((product(x, weight, scales).float() - expected).abs().max() / expected.abs().max())
        except Exception as failure:  # noqa: BLE001
            return f"Triton's kernel failed ({type(failure).__name__})"
        if not error < _TOLERANCE:
            return f"Triton's kernel is wrong for {n} rows"
    return None
