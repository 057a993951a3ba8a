"""Tiny engines with random weights, random trees and random drafters for the tests of engine and drafting."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from rest_lsp.cancellation import CancelToken
from rest_lsp.drafting.drafter import Drafter, Verdict
from rest_lsp.drafting.tree import EMPTY_TREE, ROOT, DraftTree
from rest_lsp.engine.choice import Choice, choose_form
from rest_lsp.engine.engine import GREEDY, Engine
from rest_lsp.engine.kv_pool import KVPool
from rest_lsp.engine.sampling import Sampling
from rest_lsp.engine.static_model import StaticModel
from rest_lsp.engine.static_pass import Capture
from rest_lsp.engine.torch_model import PathwiseModel
from rest_lsp.engine.verifier import ModelVerifier
from rest_lsp.healing import Healing
from rest_lsp.models.convert import convert
from rest_lsp.models.packed import PackedModel
from tests.fakes_models import RandomSource, tiny_config

SIZES: dict[str, Any] = {"hidden_size": 64, "head_dim": 16, "ffn_size": 176, "max_context": 512}
CPU_DTYPES = ("int8", "fp32", "bf16")


def tiny_engine(folder: Path, dtype: str, *, threads: int = 2, capacity: int = 512, **changes: Any) -> Engine:
    """Random weights for `changes` of the usual tiny configuration, packed in `folder`, on the CPU."""
    source = RandomSource(tiny_config(**{**SIZES, **changes}))
    for name, tensor in source.tensors.items():
        if tensor.ndim == 2:
            source.tensors[name] = tensor * (3.0 / tensor.shape[1] ** 0.5)
    convert(source, folder / dtype, form=choose_form(dtype), name="tiny")
    return load_tiny(folder / dtype, dtype, threads=threads, capacity=capacity)


def load_tiny(folder: Path, dtype: str, *, threads: int = 2, capacity: int = 512) -> Engine:
    packed = PackedModel.open(folder)
    return Engine.load(
        packed, name="tiny", device=Choice("cpu", ""), dtype=Choice(dtype, ""), threads=threads, capacity=capacity
    )


def static_engine(
    exact: Engine, *, fixed_width: bool = False, capture: Capture | None = None, capacity: int = 256
) -> Engine:
    """The same weights behind a tree mask, as on accelerators."""
    model = exact.verifier.model
    assert isinstance(model, PathwiseModel)
    static = StaticModel(
        model.decoder, capacity=capacity, device=torch.device("cpu"), capture=capture, fixed_width=fixed_width
    )
    return Engine(ModelVerifier(static, KVPool(static)), exact.info)


def run(
    engine: Engine, prompt: Sequence[int], drafter: Drafter, *, sampling: Sampling = GREEDY, max_tokens: int = 40
) -> list[int]:
    """The tokens of one generation from an empty KV cache."""
    return [token for token, _ in run_scored(engine, prompt, drafter, sampling=sampling, max_tokens=max_tokens)]


def run_scored(
    engine: Engine, prompt: Sequence[int], drafter: Drafter, *, sampling: Sampling = GREEDY, max_tokens: int = 40
) -> list[tuple[int, float]]:
    """The tokens of one generation from an empty KV cache, each with its log-probability."""
    engine.forget()
    steps = engine.generate(
        prompt, context=prompt, drafter=drafter, sampling=sampling, cancel=CancelToken(), max_tokens=max_tokens
    )
    return [scored for step in steps for scored in zip(step.tokens, step.log_probs, strict=True)]


def random_tree(draw: random.Random, vocab_size: int, hints: Sequence[int] = (), *, max_nodes: int = 32) -> DraftTree:
    """Any shape of tree; now and then a node carries on with `hints`, so that some paths are accepted for long."""
    tokens: list[int] = []
    parents: list[int] = []
    depths: list[int] = []
    taken: set[tuple[int, int]] = set()
    for _ in range(draw.randrange(max_nodes + 1)):
        parent = draw.choice([ROOT, len(tokens) - 1, draw.randrange(-1, len(tokens))])
        depth = depths[parent] + 1 if parent != ROOT else 1
        hinted = depth <= len(hints) and draw.random() < 0.7
        token = hints[depth - 1] if hinted else draw.randrange(vocab_size)
        if (parent, token) not in taken:
            taken.add((parent, token))
            tokens.append(token)
            parents.append(parent)
            depths.append(depth)
    n = len(tokens)
    return DraftTree(tokens, parents, depths, [0.5] * n, [None] * n, ["random"] * n)


class RandomDrafter:
    """Knows the right answer and mixes it with nonsense, in a tree of random shape."""

    def __init__(self, seed: int, vocab_size: int, answer: Sequence[int], n_prompt: int) -> None:
        self._draw, self._vocab_size = random.Random(seed), vocab_size
        self._answer, self._n_prompt = answer, n_prompt
        self.accepted = 0

    def draft(self, context: Sequence[int], past: int, healing: Healing | None) -> DraftTree:
        if self._draw.random() < 0.1:
            return EMPTY_TREE
        return random_tree(self._draw, self._vocab_size, self._answer[len(context) - self._n_prompt :])

    def observe(self, tree: DraftTree, verdict: Verdict) -> None:
        self.accepted += len(verdict.accepted)
