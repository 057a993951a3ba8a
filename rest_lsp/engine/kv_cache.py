"""The KV cache of one sequence: append, roll back, reuse a common prefix.  The model decides how slots are laid out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(eq=False)
class KVCache:
    """Keys and values of all layers; slot p holds the token at position p.

    `tokens` are the ids whose keys and values are valid, in order; slots from `length` on are scratch space.
    """

    keys: Tensor
    values: Tensor
    capacity: int
    tokens: list[int] = field(default_factory=list)

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

    def clear(self) -> None:
        self.roll_back(0)
