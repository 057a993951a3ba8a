"""The decoder on accelerators: passes of a few fixed widths over static buffers, which CUDA replays as graphs.

A pass of a 0.5B model is hundreds of small kernels, whose launches would take longer than their work.  Plain decoding
is a pass of width 1 through the same machinery, so that speed-ups are not against a slow baseline.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rest_lsp.drafting.tree import ROOT, DraftTree
from rest_lsp.engine.decoder import Decoder
from rest_lsp.engine.kv_cache import KVCache
from rest_lsp.engine.static_pass import Capture, StaticPass
from rest_lsp.engine.torch_model import TorchModel

WIDTHS = (1, 4, 8, 16, 32, 65)
"""Rows of a pass: the root and up to 64 nodes.  A tree is padded to the next width."""

_SLOTS = 64
"""The number of slots is a multiple of it: kernels want rows of a mask aligned, and copy those that are not."""


class StaticModel(TorchModel):
    """A `Model` with a tree mask.  `capture` makes graphs of passes; without, the same code runs eagerly.

    With `fixed_width` every pass has the largest width, plain decoding too, and every row sums its keys in the order of
    their positions: the same kernels see the same shapes and the same numbers, so drafts change no bit of a row as long
    as they treat all rows of a pass alike.  It costs speed.
    """

    is_exact = False

    def __init__(
        self,
        decoder: Decoder,
        *,
        capacity: int,
        device: torch.device,
        capture: Capture | None = None,
        fixed_width: bool = False,
    ) -> None:
        super().__init__(decoder, capacity=capacity, device=device)
        self._capture, self._fixed_width = capture, fixed_width
        self.slow_at_first = self._widths = WIDTHS[-1:] if fixed_width else WIDTHS
        # Padding rows are written behind the last slot that a prompt or a tree can take.
        self._static = self._with_room(WIDTHS[-1] + -(capacity + WIDTHS[-1]) % _SLOTS)
        self._active: KVCache | None = None
        self._passes: dict[int, StaticPass] = {}

    def verify(self, lead: Sequence[int], root: int, tree: DraftTree, cache: KVCache) -> Tensor:
        assert not lead, "a prompt's tokens go through another kernel than decoded ones"
        self._activate(cache)
        n = 1 + len(tree)
        width = next(width for width in self._widths if width >= n)
        if width not in self._passes:
            self._passes[width] = StaticPass(
                self.decoder, self._static, width, capture=self._capture, along_paths=self._fixed_width
            )
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
