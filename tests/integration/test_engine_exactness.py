"""Drafts never change a bit: the invariant that everything else stands on, tested with ==."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from rest_lsp.cancellation import CancelToken
from rest_lsp.drafting.drafter import NoDrafter
from rest_lsp.drafting.tree import EMPTY_TREE, ROOT, DraftTree
from rest_lsp.engine.decoder import silu_by_rows
from rest_lsp.engine.engine import Engine
from rest_lsp.engine.kv_cache import KVCache
from rest_lsp.engine.sampling import Sampling
from rest_lsp.engine.verifier import MAX_LEAD
from tests.engines import CPU_DTYPES, RandomDrafter, load_tiny, random_tree, run, run_scored, tiny_engine

SHAPES: dict[str, dict[str, Any]] = {
    "shared-heads": {},
    "own-heads": {"n_kv_heads": 4, "qk_norm": False},
    "one-key-head": {"n_kv_heads": 1, "qkv_bias": False, "o_bias": False, "mlp_bias": False},
    "odd": {"n_heads": 6, "n_kv_heads": 3, "head_dim": 16, "hidden_size": 80, "ffn_size": 208},
    "seven-heads": {"n_heads": 7, "n_kv_heads": 1, "head_dim": 24},
    "wide": {"n_heads": 8, "n_kv_heads": 2, "head_dim": 64, "hidden_size": 512, "ffn_size": 1376, "n_layers": 1},
}
PROMPT = [(37 * i * i + 11 * i) % 448 for i in range(70)]


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", CPU_DTYPES)
def test_every_row_of_a_tree_equals_plain_decoding(tmp_path: Path, dtype: str, shape: str, threads: int) -> None:
    engine = tiny_engine(tmp_path, dtype, threads=threads, **SHAPES[shape])
    draw = random.Random(f"{dtype}{shape}{threads}")
    engine.verifier.prefill(PROMPT[:-1], CancelToken())
    for _ in range(4):
        tree = random_tree(draw, 448)
        logits = engine.verifier.verify(PROMPT[-1], tree).clone()
        for node in draw.sample(range(len(tree)), min(6, len(tree))):
            path = tree.path_to(node)
            assert torch.equal(plain_logits(engine, [tree.tokens[n] for n in path]), logits[node + 1])
        assert torch.equal(plain_logits(engine, []), logits[0])


@pytest.mark.parametrize("dtype", CPU_DTYPES)
def test_rows_stay_equal_where_attention_changes_blocks(tmp_path: Path, dtype: str) -> None:
    engine = tiny_engine(tmp_path, dtype, max_context=1200, capacity=1200)
    draw = random.Random(3)
    for length in (250, 505, 511, 760, 1020):
        engine.verifier.prefill([(37 * i * i + 11 * i) % 448 for i in range(length)], CancelToken())
        tree = random_tree(draw, 448)
        logits = engine.verifier.verify(PROMPT[-1], tree).clone()
        for node in draw.sample(range(len(tree)), min(5, len(tree))):
            path = [tree.tokens[n] for n in tree.path_to(node)]
            assert torch.equal(plain_logits(engine, path), logits[node + 1])


def plain_logits(engine: Engine, path: list[int]) -> torch.Tensor:
    """What plain decoding sees behind the prompt and `path`; leaves the KV cache as it was."""
    verifier, length = engine.verifier, engine.verifier.length
    for token in [PROMPT[-1], *path][:-1]:
        verifier.verify(token, EMPTY_TREE)
        verifier.keep([])
    logits = verifier.verify([PROMPT[-1], *path][-1], EMPTY_TREE)[0].clone()
    verifier.cache.roll_back(length)
    return logits


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(0.9, 0.95, 50, 7), Sampling(1.5, 1.0, 0, 8)], ids=str)
@pytest.mark.parametrize("dtype", CPU_DTYPES)
def test_any_drafter_gives_the_tokens_and_probabilities_of_plain_decoding(
    tmp_path: Path, dtype: str, sampling: Sampling
) -> None:
    engine = tiny_engine(tmp_path, dtype)
    scored = run_scored(engine, PROMPT, NoDrafter(), sampling=sampling)
    plain = [token for token, _ in scored]
    assert len(plain) == 40
    accepted = 0
    for seed in range(6):
        drafter = RandomDrafter(seed, 448, plain, len(PROMPT))
        assert run_scored(engine, PROMPT, drafter, sampling=sampling) == scored
        accepted += drafter.accepted
    assert accepted > 40


def test_what_stands_behind_the_cache_is_not_seen(tmp_path: Path) -> None:
    """Slots of other texts, in the last block of the cache, too; its capacity is no multiple of a block."""
    engine = tiny_engine(tmp_path, "int8", capacity=203)
    tokens = [(37 * i * i + 11 * i) % 448 for i in range(203)]
    for length in (15, 16, 17, 202):
        found = []
        for stale in (0.0, float("nan"), 1e30):
            engine.forget()
            engine.verifier.cache.keys.fill_(stale)
            engine.verifier.cache.values.fill_(stale)
            engine.verifier.prefill(tokens[:length], CancelToken())
            found.append(engine.verifier.verify(tokens[-1], EMPTY_TREE)[0].clone())
        assert torch.isfinite(found[0]).all()
        assert all(torch.equal(found[0], other) for other in found[1:])


@pytest.mark.parametrize("dtype", CPU_DTYPES)
@pytest.mark.parametrize("length", [len(PROMPT), 78])
def test_the_kept_path_leaves_the_cache_of_plain_decoding(tmp_path: Path, dtype: str, length: int) -> None:
    engine = tiny_engine(tmp_path, dtype)
    verifier = engine.verifier
    prompt = [(37 * i * i + 11 * i) % 448 for i in range(length)]
    plain = run(engine, prompt, NoDrafter(), max_tokens=12)
    verifier.prefill(prompt[:-1], CancelToken())
    for root in [prompt[-1], *plain[:3]]:
        verifier.verify(root, EMPTY_TREE)
        verifier.keep([])
    plainly = slots(verifier.cache)
    verifier.cache.roll_back(len(prompt) - 1)
    wrong = [(token + 1) % 448 for token in plain]
    tree = DraftTree(
        tokens=[plain[0], wrong[1], plain[1], wrong[2], plain[2], wrong[0]],
        parents=[ROOT, 0, 0, 2, 2, ROOT],
        depths=[1, 2, 2, 3, 3, 1],
        path_probability=[0.5] * 6,
        places=[None] * 6,
        sources=["test"] * 6,
    )
    verifier.verify(prompt[-1], tree)
    verifier.keep([0, 2, 4])
    assert verifier.cache.tokens == [*prompt, *plain[:3]]
    assert slots(verifier.cache) == plainly


@pytest.mark.parametrize("dtype", CPU_DTYPES)
def test_a_session_with_drafts_answers_like_one_without(tmp_path: Path, dtype: str) -> None:
    """Every request is stopped early, and the next prompt holds what a draft that ran on has already verified."""
    engine = tiny_engine(tmp_path, dtype)
    oracle = load_tiny(tmp_path / dtype, dtype)
    prompts = [PROMPT]
    for _ in range(4):
        prompts.append([*prompts[-1], *run(oracle, prompts[-1], NoDrafter(), max_tokens=12)])
    caches = []
    for seed in (None, 1, 2, 3):
        engine.forget()
        for prompt, longer in pairwise(prompts):
            answer = longer[len(prompt) :]
            drafter = NoDrafter() if seed is None else RandomDrafter(seed, 448, answer, len(prompt))
            steps = engine.generate(prompt, context=prompt, drafter=drafter, cancel=CancelToken(), max_tokens=12)
            next(steps)
            steps.close()
        engine.verifier.prefill(prompts[-2], CancelToken())
        caches.append(slots(engine.verifier.cache))
    assert caches[1:] == caches[:1] * 3


def slots(cache: KVCache) -> list[list[float]]:
    """The valid keys and values of each position, bit for bit."""
    in_blocks = cache.keys.ndim == 5
    keys = cache.keys.permute(2, 4, 0, 1, 3).flatten(0, 1) if in_blocks else cache.keys.transpose(0, 2)
    values = cache.values.transpose(0, 2)
    return [[*keys[slot].flatten().tolist(), *values[slot].flatten().tolist()] for slot in range(cache.length)]


@pytest.mark.parametrize("chunk", [1, 5, 37, 96])
def test_a_prompt_in_any_chunks_leaves_the_bits_of_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    engine = tiny_engine(tmp_path, "int8")
    verifier = engine.verifier
    verifier.prefill(PROMPT[:1], CancelToken())
    for token in PROMPT[1:]:
        verifier.verify(token, EMPTY_TREE)
        verifier.keep([])
    decoded = slots(verifier.cache)
    engine.forget()
    monkeypatch.setattr("rest_lsp.engine.verifier.SETTLED_CHUNK", chunk)
    verifier.prefill(PROMPT[:-1], CancelToken())
    verifier.verify(PROMPT[-1], EMPTY_TREE)
    verifier.keep([])
    assert slots(verifier.cache) == decoded


@pytest.mark.parametrize("n_typed", [0, 1, 3, MAX_LEAD, MAX_LEAD + 1])
@pytest.mark.parametrize("dtype", CPU_DTYPES)
def test_typed_tokens_and_the_first_tree_go_through_the_model_together(
    tmp_path: Path, dtype: str, n_typed: int
) -> None:
    engine = tiny_engine(tmp_path, dtype)
    verifier = engine.verifier
    known = len(PROMPT) - 1 - n_typed
    verifier.prefill(PROMPT[:known], CancelToken())
    report = verifier.prefill(PROMPT[:-1], CancelToken())
    assert report.tokens - report.reused <= n_typed + MAX_LEAD
    assert verifier.length == len(PROMPT) - 1
    tree = random_tree(random.Random(n_typed), 448)
    together = verifier.verify(PROMPT[-1], tree).clone()
    path = tree.path_to(len(tree) - 1)
    verifier.keep(path)
    kept = slots(verifier.cache)
    verifier.cache.roll_back(len(PROMPT) - 1)
    assert torch.equal(together, verifier.verify(PROMPT[-1], tree))
    verifier.keep(path)
    assert slots(verifier.cache) == kept
    assert verifier.cache.tokens == [*PROMPT, *(tree.tokens[node] for node in path)]


@pytest.mark.parametrize("n_threads", [2, 3, 7])
def test_the_number_of_threads_changes_no_bit(tmp_path: Path, n_threads: int) -> None:
    alone = tiny_engine(tmp_path, "int8", threads=1)
    together = load_tiny(tmp_path / "int8", "int8", threads=n_threads)
    tree = random_tree(random.Random(1), 448)
    for engine in (alone, together):
        engine.verifier.prefill(PROMPT[:-1], CancelToken())
    assert torch.equal(alone.verifier.verify(PROMPT[-1], tree), together.verifier.verify(PROMPT[-1], tree))


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
@pytest.mark.parametrize("width", [96, 176, 1000, 4864, 18944, 33000])
def test_silu_of_a_row_is_the_same_in_any_company(width: int, threads: int) -> None:
    torch.set_num_threads(threads)
    both = torch.randn(33, 2 * width, generator=torch.Generator().manual_seed(width)) * 4
    gate = both[:, :width]
    alone = torch.cat([silu_by_rows(both[i : i + 1, :width]) for i in range(33)])
    for n in (2, 7, 8, 16, 33):
        assert torch.equal(silu_by_rows(gate[:n]), alone[:n])
