"""A model with KV caches: prefill in chunks, verify a tree, keep the accepted path."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from rest_lsp.cancellation import CancelToken
from rest_lsp.drafting.tree import ROOT, DraftTree
from rest_lsp.engine.kv_pool import KVPool
from rest_lsp.engine.model import Model
from rest_lsp.stats import PassTimes

PREFILL_CHUNK = 96
"""Tokens per prefill pass of a model whose cache depends on how its tokens came in, and of one on a GPU."""

SETTLED_CHUNK = 24
"""Tokens per prefill pass where that changes no bit: a tenth of a second of a slow two-core CPU on a 0.5B model, the
longest wait for a cancellation.  Per token that costs 9 % more there than passes of 64 (4.16 against 3.82 ms)."""


MAX_LEAD = 8
"""Tokens that a prompt may leave to the first verify: the few that were typed since the last request cost hardly more
in a pass over a tree, and a pass of their own would cost as much as a plain step."""


@dataclass(frozen=True)
class PrefillReport:
    """How many tokens the prompt had, how many of them the KV cache still knew, and how long the rest took.

    The rest does not include up to MAX_LEAD tokens that the first verify takes along.
    """

    tokens: int
    reused: int
    ms: float


class Logits(Protocol):
    """Rows `[vocab_size]`: row 0 follows the root, row i + 1 follows node i of the tree."""

    def __getitem__(self, row: int, /) -> Tensor: ...


class Verifier(Protocol):
    """What the decode loop needs of a model."""

    @property
    def length(self) -> int:
        """Tokens in the KV cache; the next root takes this position."""
        ...

    @property
    def n_lead(self) -> int:
        """Tokens of the prompt that the next verify takes along."""
        ...

    def prefill(self, tokens: Sequence[int], cancel: CancelToken) -> PrefillReport:
        """Make the KV cache hold `tokens`, but for a lead.  Raises `Cancelled`, leaving a valid shorter cache."""
        ...

    def verify(self, root: int, tree: DraftTree) -> Logits:
        """Valid until the next call."""
        ...

    def keep(self, path: Sequence[int]) -> None:
        """Commit the root and the accepted nodes of the last verify, from the first level down; drop the others."""
        ...


@dataclass(frozen=True)
class _Verified:
    root: int
    tree: DraftTree


class ModelVerifier:
    """The real verifier."""

    def __init__(self, model: Model, caches: KVPool, passes: PassTimes | None = None) -> None:
        """Each forward pass is timed in `passes`."""
        self.model, self._caches = model, caches
        self.passes = passes or PassTimes()
        self._start_s = 0.0
        self.cache = caches.newest
        self.n_kv_bytes = caches.n_bytes
        self._lead: Sequence[int] = ()
        self._last: _Verified | None = None

    @property
    def length(self) -> int:
        return self.cache.length + len(self._lead)

    @property
    def n_lead(self) -> int:
        return len(self._lead)

    @torch.inference_mode()
    def prefill(self, tokens: Sequence[int], cancel: CancelToken) -> PrefillReport:
        start = time.perf_counter()
        self.cache = self._caches.take(tokens)
        self._lead = ()
        reused = self.cache.length
        end = len(tokens) - self._n_left(len(tokens) - reused)
        for at in range(reused, end, self._chunk):
            cancel.raise_if_cancelled()
            chunk = tokens[at : min(at + self._chunk, end)]
            self._start_s = time.perf_counter()
            self.model.append(chunk, self.cache)
            self.cache.extend(chunk)
            self._end_pass()
        self._lead = tokens[end:]
        return PrefillReport(len(tokens), reused, 1e3 * (time.perf_counter() - start))

    @torch.inference_mode()
    def verify(self, root: int, tree: DraftTree) -> Tensor:
        assert self.length + 1 + len(tree) <= self.cache.capacity, "the KV cache is full"
        self._start_s = time.perf_counter()
        lead, self._lead, self._last = self._lead, (), _Verified(root, tree)
        logits = self.model.verify(lead, root, tree, self.cache)
        self.cache.extend(lead)
        return logits

    @torch.inference_mode()
    def keep(self, path: Sequence[int]) -> None:
        last, self._last = self._last, None
        assert last is not None, "keep follows verify"
        parents = [ROOT, *path][: len(path)]
        assert [last.tree.parents[node] for node in path] == parents, "not a path from the root"
        self.model.keep(path, self.cache)
        self.cache.extend([last.root, *(last.tree.tokens[node] for node in path)])
        self._end_pass()

    def _end_pass(self) -> None:
        self.passes.add(1e3 * (time.perf_counter() - self._start_s))

    @property
    def _chunk(self) -> int:
        return SETTLED_CHUNK if self.model.settles else PREFILL_CHUNK

    def _n_left(self, n_missing: int) -> int:
        """How many of the missing tokens are left to the first verify: those behind the last full chunk, if few."""
        left_over = n_missing % self._chunk
        return left_over if self.model.settles and left_over <= MAX_LEAD else 0

    def forget(self) -> None:
        """Empty all KV caches."""
        self._caches.clear()
