"""Which KV cache serves a prompt: one for each document lately worked on; the least recently used goes first."""

from __future__ import annotations

from collections.abc import Sequence

from rest_lsp.engine.kv_cache import KVCache
from rest_lsp.engine.model import Model
from rest_lsp.engine.room import is_of_memory

MAX_BYTES = 96 << 20
"""What the caches of one model may take together; one is always granted."""

MOST_CACHES = 8

WANTED_CACHES = 3
"""However large a cache is, so many documents should find theirs again, if memory is at hand."""

SHARE_OF_FREE = 0.125
"""Of the memory that is free when the model has been loaded: what caches may take of it beyond MAX_BYTES."""

_WORTH_KEEPING = 0.5
"""A cache that would lose more of its tokens than this share is left to its document, and another one is taken."""


class KVPool:
    """Caches of one model, most recently used first."""

    def __init__(self, model: Model, *, max_bytes: int = MAX_BYTES, free_bytes: int = 0) -> None:
        """`free_bytes` is the memory that nobody has taken yet, 0 where that is not known."""
        self._model = model
        self._caches = [model.new_cache()]
        n_bytes = max(1, self._caches[0].n_bytes)
        wanted = min(WANTED_CACHES * n_bytes, int(SHARE_OF_FREE * free_bytes))
        self._most = max(1, min(MOST_CACHES, max(max_bytes, wanted) // n_bytes))

    @property
    def newest(self) -> KVCache:
        return self._caches[0]

    @property
    def n_bytes(self) -> int:
        """Of all caches that may come to be."""
        return self._most * self.newest.n_bytes

    def take(self, tokens: Sequence[int]) -> KVCache:
        """A cache that holds the longest prefix of `tokens` that any cache holds, and nothing behind it."""
        best = max(self._caches, key=lambda cache: cache.common_prefix(tokens))
        shared = best.common_prefix(tokens)
        chosen = best
        if shared < _WORTH_KEEPING * best.length and shared < _WORTH_KEEPING * len(tokens):
            chosen = self._spare()
            if chosen is not best:
                self._model.copy_slots(best, chosen, shared)
                chosen.tokens[:] = best.tokens[:shared]
        chosen.roll_back(shared)
        self._caches.remove(chosen)
        self._caches.insert(0, chosen)
        return chosen

    def clear(self) -> None:
        """Empty every cache."""
        for cache in self._caches:
            cache.clear()

    def _spare(self) -> KVCache:
        empty = next((cache for cache in self._caches if not cache.length), None)
        if empty is not None:
            return empty
        if len(self._caches) < self._most:
            try:
                self._caches.append(self._model.new_cache())
            except (MemoryError, RuntimeError) as error:
                if not is_of_memory(error):
                    raise
                # Others have taken it since the model was loaded.
                self._most = len(self._caches)
        return self._caches[-1]
