"""Attention of all rows of a pass in one call, for accelerators and for prompts; tests hold the forms together.

`attend_where` is equal up to rounding to attention row by row; `attend_along` sums every row's keys in the order of
their positions, whatever tree the row stands in.

Heads that share keys become rows of one head.  Keys broadcast over heads would be read once for each, and are what
kernels have gone wrong with (https://github.com/pytorch/pytorch/issues/191937).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from rest_lsp.drafting.tree import ROOT


def attend_where(queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor, scale: float) -> Tensor:
    """Attention of all rows to all slots.

    queries, result  [n, n_kv_heads, group, head_dim]
    keys, values     [n_kv_heads, n_slots, head_dim]
    bias             [group * n, n_slots], that of the rows (see `bias_of`) once for each head of a group
    """
    if keys.device.type == "mps":
        # Metal's kernels have misread tensors with gaps (https://github.com/pytorch/pytorch/issues/181133).
        keys, values = keys.contiguous(), values.contiguous()
    out = F.scaled_dot_product_attention(stacked(queries), keys[None], values[None], attn_mask=bias, scale=scale)
    return unstacked(out, queries)


def attend_along(queries: Tensor, keys: Tensor, values: Tensor, paths: Tensor, bias: Tensor, scale: float) -> Tensor:
    """Every row attends to keys of its own, gathered in the order of their positions: the sums of plain decoding.

    paths  [n, n_slots], the slot that holds a row's ancestor (or the prompt's token) at each position
    bias   [n, 1, 1, n_slots], -inf behind the row's own position
    """
    own_keys, own_values = keys[:, paths].transpose(0, 1), values[:, paths].transpose(0, 1)
    bias = bias.expand(-1, 1, queries.shape[2], -1)
    return F.scaled_dot_product_attention(queries, own_keys, own_values, attn_mask=bias, scale=scale)


def bias_of(visible: Tensor, dtype: torch.dtype) -> Tensor:
    """What is added to scores: nothing, or -inf where not `visible`."""
    return torch.zeros_like(visible, dtype=dtype).masked_fill_(~visible, float("-inf"))


def ancestors_of(parents: Sequence[int]) -> npt.NDArray[np.bool_]:
    """`[n, n]`: every row sees itself and its ancestors (SpecInfer, arXiv 2305.09781 §4.2)."""
    ancestors = np.eye(len(parents), dtype=np.bool_)
    for row, parent in enumerate(parents):
        if parent != ROOT:
            ancestors[row] |= ancestors[parent]
    return ancestors


def causal_mask(n: int, past: int) -> Tensor:
    """`[n, past + n]` for n consecutive tokens."""
    return torch.ones(n, past + n, dtype=torch.bool).tril(past)


def stacked(queries: Tensor) -> Tensor:
    """[n, n_kv_heads, group, head_dim] -> [1, n_kv_heads, group * n, head_dim]."""
    n, n_kv_heads, group, head_dim = queries.shape
    return queries.permute(1, 2, 0, 3).reshape(1, n_kv_heads, group * n, head_dim)


def unstacked(out: Tensor, queries: Tensor) -> Tensor:
    n, n_kv_heads, group, head_dim = queries.shape
    return out.view(n_kv_heads, group, n, head_dim).permute(2, 0, 1, 3)
