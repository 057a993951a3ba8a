"""One pass of a fixed width: inputs go into buffers, and what is computed from them has the same shapes every time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rest_lsp.engine.cuda_graphs import Compute
from rest_lsp.engine.decoder import Attend, Decoder
from rest_lsp.engine.kv_cache import KVCache
from rest_lsp.engine.tree_attention import ancestors_of, attend_along, attend_where, bias_of

Capture = Callable[[Compute], Compute]
"""Makes a computation quick to repeat, see `cuda_graphs`."""


class StaticPass:
    """A pass over `width` rows.  With `along_paths` every row attends to its keys in the order of their positions."""

    def __init__(
        self, decoder: Decoder, cache: KVCache, width: int, *, capture: Capture | None, along_paths: bool
    ) -> None:
        device, n_slots = cache.keys.device, cache.keys.shape[2]
        self._decoder, self._cache = decoder, cache
        self._along_paths = along_paths
        self._inputs = _Inputs(width, n_slots, device)
        self._columns = torch.arange(n_slots, device=device)
        self._capture = capture
        self._replay: Compute | None = self._compute if capture is None else None

    def run(self, tokens: Sequence[int], parents: Sequence[int], past: int) -> Tensor:
        """Logits `[width, vocab_size]` of rows behind `past` slots; those of padding rows mean nothing."""
        self._inputs.send(tokens, parents, past, along_paths=self._along_paths)
        if self._replay is None:
            assert self._capture is not None
            # Only now: warming up writes keys to the slots that the inputs name, which must be those of this very pass.
            self._replay = self._capture(self._compute)
        return self._replay()

    def _compute(self) -> Tensor:
        tokens, positions, slots = self._inputs.rows.unbind()
        attend = self._attend_along(positions, slots) if self._along_paths else self._attend_where(slots)
        return self._decoder.logits(self._decoder.forward(tokens, positions, attend))

    def _attend_where(self, slots: Tensor) -> Attend:
        """All slots before the pass are visible, and of its own those of a row's ancestors."""
        inputs, cache, dtype = self._inputs, self._cache, self._decoder.dtype
        bias = bias_of(self._columns < inputs.past, dtype).expand(len(slots), -1).clone()
        bias[:, slots] = bias_of(inputs.tree.bool(), dtype)
        bias = bias.repeat(self._decoder.config.group, 1)

        def attend(index: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            keys, values = cache.keys[index], cache.values[index]
            keys[:, slots], values[:, slots] = k, v
            return attend_where(q, keys, values, bias, self._decoder.attention_scale)

        return attend

    def _attend_along(self, positions: Tensor, slots: Tensor) -> Attend:
        """Before the pass a position is its own slot; from there on a row's path says which slot it is."""
        inputs, cache = self._inputs, self._cache
        paths = self._columns.expand(len(slots), -1).clone()
        paths[:, inputs.past + self._columns[: len(slots)]] = inputs.tree
        bias = bias_of(self._columns <= positions[:, None], self._decoder.dtype)[:, None, None]

        def attend(index: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            keys, values = cache.keys[index], cache.values[index]
            keys[:, slots], values[:, slots] = k, v
            return attend_along(q, keys, values, paths, bias, self._decoder.attention_scale)

        return attend


class _Inputs:
    """What a pass reads, in one buffer, so that it takes one copy to the device.

    rows  [3, width]: tokens, positions, slots.  Rows beyond those of the tree write to the last slots of the cache,
          which no prompt and no tree can take, and attend to those and to what is there for everybody.
    past  the slots before the pass
    tree  [width, width]: for each row either who its ancestors are, or the slots of its path from the root down
    """

    def __init__(self, width: int, n_slots: int, device: torch.device) -> None:
        self._width, self._n_slots = width, n_slots
        is_cuda = device.type == "cuda"
        self._staging = torch.zeros(3 * width + 1 + width * width, dtype=torch.int64, pin_memory=is_cuda)
        self._on_device = self._staging.to(device, copy=True)
        self._is_sent = torch.cuda.Event() if is_cuda else None  # type: ignore[no-untyped-call]
        self.rows = self._on_device[: 3 * width].view(3, width)
        self.past = self._on_device[3 * width]
        self.tree = self._on_device[3 * width + 1 :].view(width, width)

    def send(self, tokens: Sequence[int], parents: Sequence[int], past: int, *, along_paths: bool) -> None:
        if self._is_sent is not None:
            # The last pass may still be waiting behind a prompt, and its inputs with it.
            self._is_sent.synchronize()
        self._stage(tokens, parents, past, along_paths=along_paths)
        self._on_device.copy_(self._staging, non_blocking=self._is_sent is not None)
        if self._is_sent is not None:
            self._is_sent.record()

    def _stage(self, tokens: Sequence[int], parents: Sequence[int], past: int, *, along_paths: bool) -> None:
        width, n = self._width, len(tokens)
        numbers = self._staging.numpy()
        rows, tree = numbers[: 3 * width].reshape(3, width), numbers[3 * width + 1 :].reshape(width, width)
        spare = range(self._n_slots - width + n, self._n_slots)
        ancestors = ancestors_of(parents)
        rows[:, n:] = 0
        rows[0, :n] = tokens
        rows[1, :n] = past + ancestors.sum(axis=1) - 1
        rows[2] = [*range(past, past + n), *spare]
        numbers[3 * width] = past
        if along_paths:
            tree[:] = rows[2, :, None]
            for row, path in enumerate(ancestors):
                tree[row, : path.sum()] = past + path.nonzero()[0]
        else:
            tree[:] = 0
            tree[:n, :n] = ancestors
            tree[range(n, width), range(n, width)] = 1
