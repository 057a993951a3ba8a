"""The KV cache of one sequence: append, keep the accepted path, roll back, reuse a common prefix."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rest_lsp.models.packed import DecoderConfig


class KVCache:
    """Keys and values `[n_layers, n_kv_heads, capacity, head_dim]`; slot p holds the token at position p.

    `tokens` are the ids whose keys and values are valid, in order; slots from `length` on are scratch space.
    """

    def __init__(self, config: DecoderConfig, capacity: int, dtype: torch.dtype, device: torch.device) -> None:
        shape = (config.n_layers, config.n_kv_heads, capacity, config.head_dim)
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.capacity = capacity
        self.tokens: list[int] = []

    @property
    def length(self) -> int:
        return len(self.tokens)

    @property
    def n_bytes(self) -> int:
        return 2 * self.keys.numel() * self.keys.element_size()

    def common_prefix(self, tokens: Sequence[int]) -> int:
        """How many of `tokens` are already here, counted from the start."""
        limit = min(len(tokens), len(self.tokens))
        return next((i for i in range(limit) if tokens[i] != self.tokens[i]), limit)

    def roll_back(self, length: int) -> None:
        """Forget every position from `length` on."""
        assert 0 <= length <= self.length, (length, self.length)
        del self.tokens[length:]

    def extend(self, tokens: Sequence[int]) -> None:
        """Declare the next slots valid for `tokens`; their keys and values must have been written."""
        assert self.length + len(tokens) <= self.capacity, "the KV cache is full"
        self.tokens.extend(tokens)

    def write(self, start: int, keys: Tensor, values: Tensor) -> None:
        """Write `[n_layers, n_kv_heads, n, head_dim]` to the slots from `start` on, without declaring them valid."""
        stop = start + keys.shape[2]
        assert stop <= self.capacity, "the KV cache is full"
        self.keys[:, :, start:stop] = keys
        self.values[:, :, start:stop] = values

    def clear(self) -> None:
        self.roll_back(0)
