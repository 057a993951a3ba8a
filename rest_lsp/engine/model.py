"""What the verifier needs of a model: rows of a pass in, logits out, keys and values in slots of a cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from rest_lsp.drafting.tree import DraftTree
from rest_lsp.engine.kv_cache import KVCache
from rest_lsp.models.packed import DecoderConfig


class Model(Protocol):
    """A decoder with its weights; used from one thread.

    `settles` says whether the keys and values of a token have the same bits however it came into the cache: as part of
    a prompt, decoded, or as an accepted draft.  Where they do, whatever is in the cache may be reused.  `is_exact` says
    whether a row of a pass over a tree has the bits of a pass of its own; else it is equal up to
    rounding in `dtype`, the type of what goes from layer to layer.  `slow_at_first` are numbers of rows: behind one
    pass of each, every pass takes the time that it takes from then on.
    """

    config: DecoderConfig
    settles: bool
    is_exact: bool
    dtype: torch.dtype
    slow_at_first: Sequence[int]

    @property
    def n_bytes_per_token(self) -> int:
        """Weight bytes that one forward pass must read."""
        ...

    def new_cache(self) -> KVCache:
        """An empty cache of the capacity that the model was loaded for."""
        ...

    def append(self, tokens: Sequence[int], cache: KVCache) -> None:
        """Write keys and values of consecutive `tokens` to the slots from `cache.length` on."""
        ...

    def verify(self, lead: Sequence[int], root: int, tree: DraftTree, cache: KVCache) -> Tensor:
        """Logits `[1 + len(tree), vocab_size]`, float32, valid until the next call; writes slots from the length on.

        `lead` are tokens between the cache and the root, empty unless the model `settles`.
        """
        ...

    def keep(self, path: Sequence[int], cache: KVCache) -> None:
        """Put the root and the nodes of `path`, of the tree just verified, into the slots from the length on."""
        ...

    def copy_slots(self, source: KVCache, target: KVCache, n: int) -> None:
        """Copy the first `n` slots."""
        ...
