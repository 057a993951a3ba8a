"""The decoder in torch: floating-point weights on any device.

`PathwiseModel` is for CPUs and bit-exact; `static_model` has the one for accelerators.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rest_lsp.drafting.tree import DraftTree
from rest_lsp.engine.attention import TreeLayout, pathwise
from rest_lsp.engine.decoder import Attend, Decoder
from rest_lsp.engine.kv_cache import KVCache
from rest_lsp.engine.tree_attention import attend_where, bias_of, causal_mask


class TorchModel:
    """What both have in common: caches, and the prompt, which goes through the model in one form everywhere."""

    settles = False
    is_exact = True
    slow_at_first: Sequence[int] = (1, 2)

    def __init__(self, decoder: Decoder, *, capacity: int, device: torch.device) -> None:
        self.decoder, self.config, self.dtype = decoder, decoder.config, decoder.dtype
        self._capacity, self._device = capacity, device

    @property
    def n_bytes_per_token(self) -> int:
        return self.decoder.n_bytes_per_token

    def new_cache(self) -> KVCache:
        c = self.config
        shape = (c.n_layers, c.n_kv_heads, self._capacity, c.head_dim)
        keys = torch.zeros(shape, dtype=self.decoder.dtype, device=self._device)
        return KVCache(keys, torch.zeros_like(keys), self._capacity)

    def append(self, tokens: Sequence[int], cache: KVCache) -> None:
        past, end = cache.length, cache.length + len(tokens)
        positions = torch.arange(past, end, device=self._device)
        scale = self.decoder.attention_scale
        bias = bias_of(causal_mask(len(tokens), past).to(self._device), self.dtype).repeat(self.config.group, 1)

        def attend(index: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            keys, values = cache.keys[index], cache.values[index]
            keys[:, past:end], values[:, past:end] = k, v
            return attend_where(q, keys[:, :end], values[:, :end], bias, scale)

        self.decoder.forward(torch.tensor(tokens, device=self._device), positions, attend)

    def copy_slots(self, source: KVCache, target: KVCache, n: int) -> None:
        target.keys[:, :, :n] = source.keys[:, :, :n]
        target.values[:, :, :n] = source.values[:, :, :n]


@dataclass(frozen=True)
class _BranchedPass:
    """Keys and values of all rows of the last pass, `[n_layers, n_kv_heads, 1 + n_nodes, head_dim]`: rows of different
    branches compete for slots, so the accepted ones are written back."""

    keys: Tensor
    values: Tensor


class PathwiseModel(TorchModel):
    """A `Model` whose rows equal plain decoding bit for bit."""

    _branched: _BranchedPass | None = None

    def verify(self, lead: Sequence[int], root: int, tree: DraftTree, cache: KVCache) -> Tensor:
        assert not lead, "a prompt's tokens go through another kernel than decoded ones"
        layout = TreeLayout.of(tree, cache.length)
        attend = self._pathwise(layout, cache)
        self._branched = None
        if not layout.is_chain:
            keys = torch.empty_like(cache.keys[:, :, : 1 + len(tree)])
            self._branched = _BranchedPass(keys, torch.empty_like(keys))
            attend = _remembering(attend, self._branched)
        tokens, positions = torch.tensor([root, *tree.tokens]), torch.tensor(layout.positions)
        return self.decoder.logits(self.decoder.forward(tokens, positions, attend))

    def keep(self, path: Sequence[int], cache: KVCache) -> None:
        branched, self._branched = self._branched, None
        if branched is None:
            return
        rows = torch.tensor([0, *(node + 1 for node in path)])
        slots = slice(cache.length, cache.length + len(rows))
        cache.keys[:, :, slots] = branched.keys[:, :, rows]
        cache.values[:, :, slots] = branched.values[:, :, rows]

    def _pathwise(self, layout: TreeLayout, cache: KVCache) -> Attend:
        scale = self.decoder.attention_scale

        def attend(index: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            return pathwise(q, k, v, (cache.keys[index], cache.values[index]), layout, scale)

        return attend


def _remembering(attend: Attend, rows: _BranchedPass) -> Attend:
    def remember(index: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        rows.keys[index], rows.values[index] = k, v
        return attend(index, q, k, v)

    return remember
