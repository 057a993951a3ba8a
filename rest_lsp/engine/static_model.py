"""The decoder on accelerators: passes of a few fixed widths over static buffers, which CUDA replays as graphs.

A pass of a 0.5B model is hundreds of small kernels, whose launches would take longer than their work.  Plain decoding
is a pass of width 1 through the same machinery, so that speed-ups are not against a slow baseline.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rest_lsp.drafting.tree import ROOT, DraftTree
from rest_lsp.engine.attention import ancestors_of, attend_where
from rest_lsp.engine.decoder import Decoder
from rest_lsp.engine.kv_cache import KVCache
from rest_lsp.engine.torch_model import TorchModel

WIDTHS = (1, 4, 8, 16, 32, 65)
"""Rows of a pass: the root and up to 64 nodes.  A tree is padded to the next width."""

_WARM_UP_PASSES = 3
"""Before a capture, so that libraries have chosen their kernels and allocated their workspaces."""


class StaticModel(TorchModel):
    """A `Model` with a tree mask.  `graphs` captures each width as a CUDA graph; without, the same code runs eagerly.

    `equal_widths` runs every pass in the largest width, plain decoding too: the same kernels then see the same shapes,
    so fewer near-ties fall differently, at the cost of speed.
    """

    is_exact = False

    def __init__(
        self, decoder: Decoder, *, capacity: int, device: torch.device, graphs: bool, equal_widths: bool = False
    ) -> None:
        super().__init__(decoder, capacity=capacity, device=device)
        self._graphs, self._widths = graphs, WIDTHS[-1:] if equal_widths else WIDTHS
        # Padding rows are written behind the last slot that a prompt or a tree can take.
        self._static = self._with_room(WIDTHS[-1])
        self._active: KVCache | None = None
        self._passes: dict[int, _StaticPass] = {}

    def verify(self, lead: Sequence[int], root: int, tree: DraftTree, cache: KVCache) -> Tensor:
        assert not lead, "a prompt's tokens go through another kernel than decoded ones"
        self._activate(cache)
        n = 1 + len(tree)
        width = next(width for width in self._widths if width >= n)
        if width not in self._passes:
            self._passes[width] = _StaticPass(self.decoder, self._static, width, graph=self._graphs)
        return self._passes[width].run([root, *tree.tokens], [ROOT, *(p + 1 for p in tree.parents)], cache.length)[:n]

    def keep(self, path: Sequence[int], cache: KVCache) -> None:
        assert cache is self._active, "keep follows verify"
        if path and path[-1] + 1 != len(path):
            origins = torch.tensor([cache.length + 1 + node for node in path], device=self._device)
            slots = slice(cache.length + 1, cache.length + 1 + len(path))
            for tensor in (self._static.keys, self._static.values):
                tensor[:, :, slots] = tensor[:, :, origins]

    def append(self, tokens: Sequence[int], cache: KVCache) -> None:
        self._activate(cache)
        self._static.tokens = cache.tokens
        super().append(tokens, self._static)

    def copy_slots(self, source: KVCache, target: KVCache, n: int) -> None:
        self._park()
        super().copy_slots(source, target, n)

    def _with_room(self, more: int) -> KVCache:
        cache = self.new_cache()
        grown = [torch.cat([t, torch.zeros_like(t[:, :, :more])], dim=2) for t in (cache.keys, cache.values)]
        return KVCache(grown[0], grown[1], cache.capacity)

    def _activate(self, cache: KVCache) -> None:
        """Graphs know one place in memory: the cache at work is copied there, some tens of microseconds on a GPU."""
        if cache is not self._active:
            self._park()
            super().copy_slots(cache, self._static, cache.capacity)
            self._active = cache

    def _park(self) -> None:
        if self._active is not None:
            super().copy_slots(self._static, self._active, self._active.capacity)
            self._active = None


class _StaticPass:
    """One width: inputs are copied into buffers, and what is computed from them has the same shapes every time."""

    def __init__(self, decoder: Decoder, cache: KVCache, width: int, *, graph: bool) -> None:
        self._decoder, self._cache, self._width = decoder, cache, width
        device = cache.keys.device
        # Tokens, positions, slots, the number of slots before the pass, and who sees whom: one copy to the device.
        self._staging = torch.zeros(3 * width + 1 + width * width, dtype=torch.int64, pin_memory=device.type == "cuda")
        self._inputs = self._staging.to(device, copy=True)
        self._columns = torch.arange(cache.keys.shape[2], device=device)
        self._replay: Callable[[], Tensor] = self._captured() if graph else self._compute

    def run(self, tokens: Sequence[int], parents: Sequence[int], past: int) -> Tensor:
        """Logits `[width, vocab_size]` of rows behind `past` slots; those of padding rows mean nothing."""
        width, n = self._width, len(tokens)
        sees = torch.eye(width, dtype=torch.bool)
        sees[:n, :n] = ancestors_of(parents)
        depths = sees[:n].sum(dim=1) - 1
        first_spare = self._cache.keys.shape[2] - width
        staging = self._staging
        staging[:n] = torch.tensor(tokens)
        staging[n:width] = 0
        staging[width : width + n] = past + depths
        staging[width + n : 2 * width] = 0
        staging[2 * width : 2 * width + n] = torch.arange(past, past + n)
        staging[2 * width + n : 3 * width] = torch.arange(first_spare + n, first_spare + width)
        staging[3 * width] = past
        staging[3 * width + 1 :] = sees.flatten()
        self._inputs.copy_(staging, non_blocking=True)
        return self._replay()

    def _compute(self) -> Tensor:
        width, inputs, cache = self._width, self._inputs, self._cache
        tokens, positions, slots = inputs[: 3 * width].view(3, width).unbind()
        sees = inputs[3 * width + 1 :].view(width, width).bool()
        visible = (self._columns < inputs[3 * width]).expand(width, -1).clone().index_copy_(1, slots, sees)
        scale = self._decoder.attention_scale

        def attend(index: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            cache.keys[index].index_copy_(1, slots, k)
            cache.values[index].index_copy_(1, slots, v)
            return attend_where(q, cache.keys[index], cache.values[index], visible, scale)

        return self._decoder.logits(self._decoder.forward(tokens, positions, attend))

    def _captured(self) -> Callable[[], Tensor]:
        """A function that replays `_compute` on the device without launching its kernels one by one."""
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UP_PASSES):
                self._compute()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            logits = self._compute()

        def replay() -> Tensor:
            graph.replay()
            return logits

        return replay
