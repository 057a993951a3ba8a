"""Rotary position embedding: tables of cosines and sines by position (RoFormer, arXiv 2104.09864 §3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rest_lsp.models.packed import DecoderConfig
from rest_lsp.models.rope import llama3_divisors


@dataclass(frozen=True)
class RotaryTable:
    """`cos` and `sin`, each `[n_positions, head_dim]`; the first half of `sin` is negated, see `rotate`."""

    cos: Tensor
    sin: Tensor

    @classmethod
    def build(cls, config: DecoderConfig, n_positions: int, dtype: torch.dtype, device: torch.device) -> RotaryTable:
        exponents = torch.arange(0, config.head_dim, 2, dtype=torch.int64).float() / config.head_dim
        frequencies = _scale(1.0 / (config.rope_theta**exponents), config)
        angles = torch.outer(torch.arange(n_positions).float(), frequencies)
        cos, sin = angles.cos(), angles.sin()
        return cls(
            torch.cat([cos, cos], dim=-1).to(device, dtype),
            torch.cat([-sin, sin], dim=-1).to(device, dtype),
        )

    def at(self, positions: Tensor) -> RotaryTable:
        """The rows of `positions`, shaped `[n, 1, head_dim]` to broadcast over heads."""
        return RotaryTable(self.cos[positions, None], self.sin[positions, None])


def rotate(x: Tensor, table: RotaryTable) -> Tensor:
    """Rotate heads `[n, heads, head_dim]`.

    Swapping the halves and multiplying by the half-negated sine is the usual rotate_half, in fewer calls.  Products and
    sums stay apart: a fused multiply-add could round differently at the end of a vector register.
    """
    swapped = x.roll(x.shape[-1] // 2, dims=-1)
    return (x * table.cos).add_(swapped.mul_(table.sin))


def _scale(frequencies: Tensor, config: DecoderConfig) -> Tensor:
    scaling = config.rope_scaling
    if scaling is None:
        return frequencies
    if scaling.kind == "linear":
        return frequencies / scaling.factor
    return frequencies / torch.from_numpy(llama3_divisors(scaling, config.rope_theta, config.head_dim)).float()
