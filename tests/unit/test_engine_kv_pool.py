"""KV caches by document: what is reused, what is copied, and what is given up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest
import torch

from rest_lsp.engine.kv_cache import KVCache
from rest_lsp.engine.kv_pool import KVPool
from rest_lsp.engine.model import Model

CACHE_BYTES = 2 * 4 * 100


class SlotModel:
    """Has slots of one number, and no weights."""

    def new_cache(self) -> KVCache:
        return KVCache(torch.zeros(100), torch.zeros(100), 100)

    def copy_slots(self, source: KVCache, target: KVCache, n: int) -> None:
        target.keys[:n] = source.keys[:n]


class FullModel(SlotModel):
    """Has memory for one cache."""

    n_left = 1

    def new_cache(self) -> KVCache:
        if not self.n_left:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        self.n_left -= 1
        return super().new_cache()


def pool(n_caches: int) -> KVPool:
    return KVPool(cast("Model", SlotModel()), max_bytes=n_caches * CACHE_BYTES)


def fill(caches: KVPool, tokens: Sequence[int]) -> KVCache:
    """What prefill does: the rest of `tokens` goes in, each slot holding its token."""
    cache = caches.take(tokens)
    at = cache.length
    cache.keys[at : len(tokens)] = torch.tensor(tokens[at:], dtype=torch.float32)
    cache.extend(tokens[at:])
    assert cache.keys[: len(tokens)].tolist() == list(tokens)
    return cache


A, B, C = list(range(10, 50)), list(range(50, 90)), list(range(90, 130))


def test_a_longer_prompt_goes_on_where_the_last_one_ended() -> None:
    caches = pool(2)
    first = fill(caches, A)
    taken = caches.take([*A, 1, 2])
    assert taken is first
    assert taken.tokens == A


def test_a_document_is_found_again_after_another_one() -> None:
    caches = pool(2)
    a, b = fill(caches, A), fill(caches, B)
    assert a is not b
    assert caches.take(A) is a
    assert a.tokens == A
    assert caches.take([*B, 7]) is b


def test_the_least_recently_used_document_goes() -> None:
    caches = pool(2)
    a, b = fill(caches, A), fill(caches, B)
    fill(caches, A)
    assert fill(caches, C) is b
    assert caches.take(A) is a


def test_a_short_common_beginning_is_copied() -> None:
    caches = pool(2)
    a = fill(caches, A)
    other = [*A[:5], *B]
    b = fill(caches, other)
    assert b is not a
    assert a.tokens == A
    assert b.tokens == other


def test_typing_in_the_middle_keeps_to_the_same_cache() -> None:
    caches = pool(4)
    a = fill(caches, A)
    assert caches.take([*A[:30], 1, 2, 3]) is a
    assert a.tokens == A[:30]


def test_one_cache_serves_everything_when_there_is_room_for_no_more() -> None:
    caches = pool(0)
    a = fill(caches, A)
    assert fill(caches, B) is a
    assert caches.n_bytes == CACHE_BYTES


@pytest.mark.parametrize(("free_in_caches", "n_caches"), [(0, 1), (15, 1), (16, 2), (24, 3), (800, 3)])
def test_large_caches_are_three_where_memory_allows(free_in_caches: int, n_caches: int) -> None:
    model = cast("Model", SlotModel())
    caches = KVPool(model, max_bytes=CACHE_BYTES, free_bytes=free_in_caches * CACHE_BYTES)
    assert caches.n_bytes == n_caches * CACHE_BYTES
    held = {id(fill(caches, document)) for document in (A, B, C)}
    assert len(held) == n_caches


def test_many_small_caches_are_not_limited_by_what_is_free() -> None:
    caches = KVPool(cast("Model", SlotModel()), max_bytes=5 * CACHE_BYTES, free_bytes=CACHE_BYTES)
    assert caches.n_bytes == 5 * CACHE_BYTES


def test_clearing_forgets_all_documents() -> None:
    caches = pool(2)
    fill(caches, A)
    fill(caches, B)
    caches.clear()
    assert caches.take(A).length == 0


def test_without_memory_for_another_cache_the_one_that_is_there_serves_all() -> None:
    caches = KVPool(cast("Model", FullModel()), max_bytes=3 * CACHE_BYTES)
    a = fill(caches, A)
    assert fill(caches, B) is a
    assert caches.n_bytes == CACHE_BYTES
