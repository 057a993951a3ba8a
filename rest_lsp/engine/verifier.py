"""A decoder with the KV cache of one sequence: prefill in chunks, verify a tree, keep the accepted path."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from rest_lsp.cancellation import CancelToken
from rest_lsp.drafting.tree import ROOT, DraftTree
from rest_lsp.engine.attention import TreeLayout, causal_mask, masked, pathwise, tree_mask
from rest_lsp.engine.decoder import Attend, Decoder
from rest_lsp.engine.kv_cache import KVCache

PREFILL_CHUNK = 128
"""Tokens per prefill pass: about 0.15 s of a two-core CPU on a 0.5B model, the longest wait for a cancellation."""


@dataclass(frozen=True)
class PrefillReport:
    """How many tokens the prompt had, how many of them the KV cache still knew, and how long the rest took."""

    tokens: int
    reused: int
    ms: float


class Verifier(Protocol):
    """What the decode loop needs of a model."""

    @property
    def length(self) -> int:
        """Tokens in the KV cache; the next root takes this position."""
        ...

    def prefill(self, tokens: Sequence[int], cancel: CancelToken) -> PrefillReport:
        """Make the KV cache hold exactly `tokens`.  Raises `Cancelled`, leaving a valid shorter cache."""
        ...

    def verify(self, root: int, tree: DraftTree) -> Tensor:
        """Logits `[1 + len(tree), vocab_size]`: row 0 follows the root, row i + 1 follows node i."""
        ...

    def keep(self, path: Sequence[int]) -> None:
        """Commit the root and the accepted nodes of the last verify, from the first level down; drop the others."""
        ...


@dataclass(frozen=True)
class _Verified:
    """The last pass.  `keys` and `values` are those of all rows, `[n_layers, n_kv_heads, 1 + n_nodes, head_dim]`; None
    for a chain, whose rows already stand in the slots where they belong."""

    root: int
    tree: DraftTree
    keys: Tensor | None
    values: Tensor | None


class DecoderVerifier:
    """The real verifier.  `exact` chooses path-wise attention, whose rows equal plain decoding bit for bit."""

    def __init__(self, decoder: Decoder, cache: KVCache, *, exact: bool) -> None:
        self.decoder, self.cache, self._exact = decoder, cache, exact
        self._device = cache.keys.device
        self._last: _Verified | None = None

    @property
    def length(self) -> int:
        return self.cache.length

    @torch.inference_mode()
    def prefill(self, tokens: Sequence[int], cancel: CancelToken) -> PrefillReport:
        start = time.perf_counter()
        reused = self.cache.common_prefix(tokens)
        self.cache.roll_back(reused)
        for at in range(reused, len(tokens), PREFILL_CHUNK):
            cancel.raise_if_cancelled()
            self._prefill_chunk(tokens[at : at + PREFILL_CHUNK])
        return PrefillReport(len(tokens), reused, 1e3 * (time.perf_counter() - start))

    @torch.inference_mode()
    def verify(self, root: int, tree: DraftTree) -> Tensor:
        past, n = self.cache.length, 1 + len(tree)
        assert past + n <= self.cache.capacity, "the KV cache is full"
        layout = TreeLayout.of(tree, past)
        attend = self._pathwise(layout) if self._exact else self._masked(tree_mask(layout, past), past)
        keys = values = None
        if not layout.is_chain:
            keys = torch.empty_like(self.cache.keys[:, :, :n])
            values = torch.empty_like(keys)
            attend = _remembering(attend, keys, values)
        tokens = torch.tensor([root, *tree.tokens], device=self._device)
        positions = torch.tensor(layout.positions, device=self._device)
        hidden = self.decoder.forward(tokens, positions, attend)
        self._last = _Verified(root, tree, keys, values)
        return self.decoder.logits(hidden)

    @torch.inference_mode()
    def keep(self, path: Sequence[int]) -> None:
        last, self._last = self._last, None
        assert last is not None, "keep follows verify"
        parents = [ROOT, *path][: len(path)]
        assert [last.tree.parents[node] for node in path] == parents, "not a path from the root"
        if last.keys is not None and last.values is not None:
            rows = torch.tensor([0, *(node + 1 for node in path)], device=self._device)
            self.cache.write(self.cache.length, last.keys[:, :, rows], last.values[:, :, rows])
        self.cache.extend([last.root, *(last.tree.tokens[node] for node in path)])

    def _prefill_chunk(self, tokens: Sequence[int]) -> None:
        past = self.cache.length
        positions = torch.arange(past, past + len(tokens), device=self._device)
        mask = causal_mask(len(tokens), past)
        self.decoder.forward(torch.tensor(tokens, device=self._device), positions, self._masked(mask, past))
        self.cache.extend(tokens)

    def _pathwise(self, layout: TreeLayout) -> Attend:
        cache, scale = self.cache, self.decoder.attention_scale

        def attend(index: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            return pathwise(q, k, v, (cache.keys[index], cache.values[index]), layout, scale)

        return attend

    def _masked(self, mask: Tensor, past: int) -> Attend:
        cache, scale = self.cache, self.decoder.attention_scale
        mask = mask.to(self._device)

        def attend(index: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            return masked(q, k, v, (cache.keys[index], cache.values[index]), mask, past, scale)

        return attend


def _remembering(attend: Attend, keys: Tensor, values: Tensor) -> Attend:
    def remember(index: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        keys[index], values[index] = k, v
        return attend(index, q, k, v)

    return remember
