"""The int8 model on the CPU: each forward pass is one call of a compiled kernel, bit-exact for any tree.

Every row of a pass goes through the same operations in the same order as if it were alone, in prompts too, so the bits
of a token's keys and values do not depend on how it came to be in the cache.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numba
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rest_lsp.drafting.tree import ROOT, DraftTree
from rest_lsp.engine.int8_weights import read_weights, shape_of
from rest_lsp.engine.kernels.attention import SLOTS, n_blocks, scratch_shape
from rest_lsp.engine.kernels.forward import Matrix, Rows, Scratch, forward, project
from rest_lsp.engine.kernels.product import padded_columns
from rest_lsp.engine.kv_cache import KVCache
from rest_lsp.engine.own_cores import own_cores
from rest_lsp.models.packed import DecoderConfig, PackedModel

_POOL: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
"""Threads that exist; more parts than that take turns."""

_ONE_AT_A_TIME = threading.Lock()
"""Some of numba's thread pools cannot be entered from two threads."""


class Int8Model:
    """A `Model`; see there."""

    settles = True
    is_exact = True
    dtype = torch.float32
    slow_at_first: Sequence[int] = (1, 2)

    def __init__(self, packed: PackedModel, *, capacity: int, threads: int) -> None:
        self.config = packed.config
        self._capacity, self._threads = capacity, threads
        self._weights, self._shape = read_weights(packed, capacity), shape_of(packed.config)
        self._scratch = _scratch(packed.config, 0, threads, capacity)
        self._logits = np.empty((0, 0), np.float32)

    @property
    def n_bytes_per_token(self) -> int:
        w = self._weights
        return sum(_n_bytes(matrix) for matrix in (w.qkv, w.output, w.gate_up, w.down, w.head))

    def new_cache(self) -> KVCache:
        c = self.config
        keys = torch.zeros(c.n_layers, c.n_kv_heads, n_blocks(self._capacity), c.head_dim, SLOTS)
        values = torch.zeros(c.n_layers, c.n_kv_heads, self._capacity, c.head_dim)
        return KVCache(keys, values, self._capacity)

    def append(self, tokens: Sequence[int], cache: KVCache) -> None:
        n = len(tokens)
        self._run(_rows(tokens, range(ROOT, n - 1), cache.length), cache)

    def verify(self, lead: Sequence[int], root: int, tree: DraftTree, cache: KVCache) -> Tensor:
        first = len(lead)
        parents = [*range(ROOT, first), *(first + 1 + parent for parent in tree.parents)]
        self._run(_rows([*lead, root, *tree.tokens], parents, cache.length), cache)
        return self._project(first, 1 + len(tree))

    def keep(self, path: Sequence[int], cache: KVCache) -> None:
        moved = [(row, node + 1) for row, node in enumerate(path, start=1) if row != node + 1]
        past = cache.length
        for row, origin in moved:
            _key_of(cache, past + row)[:] = _key_of(cache, past + origin)
            cache.values[..., past + row, :] = cache.values[..., past + origin, :]

    def copy_slots(self, source: KVCache, target: KVCache, n: int) -> None:
        target.keys[:, :, : n_blocks(n)] = source.keys[:, :, : n_blocks(n)]
        target.values[..., :n, :] = source.values[..., :n, :]

    def _run(self, rows: Rows, cache: KVCache) -> None:
        if len(rows.tokens) > len(self._scratch.hidden):
            self._scratch = _scratch(self.config, len(rows.tokens), self._threads, self._capacity)
        keys, values = cache.keys.numpy(), cache.values.numpy()
        with self._with_threads():
            forward(rows, self._weights, self._shape, self._scratch, keys, values, self._threads)

    def _project(self, first: int, n: int) -> Tensor:
        if n > len(self._logits):
            self._logits = np.empty((n, self._weights.head.scales.shape[1]), np.float32)
        with self._with_threads():
            project(first, n, self._weights, self._shape, self._scratch, self._logits, self._threads)
        logits = torch.from_numpy(self._logits[:n, : self.config.vocab_size])
        return logits if self.config.logits_divisor == 1.0 else logits / self.config.logits_divisor

    @contextmanager
    def _with_threads(self) -> Iterator[None]:
        n_threads = min(self._threads, _POOL)
        with _ONE_AT_A_TIME:
            numba.set_num_threads(n_threads)
            with own_cores(n_threads):
                yield


def _key_of(cache: KVCache, slot: int) -> Tensor:
    """The keys of one slot, [n_layers, n_kv_heads, head_dim], to be read or written."""
    return cache.keys[:, :, slot // SLOTS, :, slot % SLOTS]


def _n_bytes(matrix: Matrix) -> int:
    return matrix.weights.nbytes + matrix.scales.nbytes


def _rows(tokens: Sequence[int], parents: Sequence[int], past: int) -> Rows:
    """`parents` are row numbers, ROOT for the first row; a parent stands before its children."""
    n = len(tokens)
    depths, paths = np.zeros(n, np.int64), np.zeros((n, n), np.int64)
    for row, parent in enumerate(parents):
        if parent != ROOT:
            depths[row] = depths[parent] + 1
            paths[row, : depths[row]] = paths[parent, : depths[row]]
        paths[row, depths[row]] = row
    return Rows(np.array(tokens, np.int64), depths, paths, past)


def _scratch(config: DecoderConfig, n_rows: int, n_threads: int, capacity: int) -> Scratch:
    c = config
    attended = c.n_heads * c.head_dim
    projected = max(attended + 2 * c.n_kv_heads * c.head_dim, 2 * c.ffn_size)
    return Scratch(
        hidden=_floats(n_rows, c.hidden_size),
        normal=_floats(n_rows, c.hidden_size),
        projected=_floats(n_rows, projected),
        attended=_floats(n_rows, attended),
        gated=_floats(n_rows, c.ffn_size),
        integers=_integers(n_rows, c.hidden_size),
        attended_integers=_integers(n_rows, attended),
        gated_integers=_integers(n_rows, c.ffn_size),
        scales=_floats(n_rows),
        scores=_floats(n_threads, *scratch_shape(c.n_heads // c.n_kv_heads, capacity)),
    )


def _floats(*shape: int) -> npt.NDArray[np.float32]:
    return np.zeros(shape, np.float32)


def _integers(n_rows: int, n: int) -> npt.NDArray[np.int16]:
    """Columns beyond `n` stay zero: they are multiplied with the padding of the weights."""
    return np.zeros((n_rows, padded_columns(n)), np.int16)
