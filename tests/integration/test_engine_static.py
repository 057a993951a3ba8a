"""The accelerators' model on the CPU, without graphs: same texts and, up to rounding, the logits of the exact one."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from rest_lsp.cancellation import CancelToken
from rest_lsp.drafting.drafter import NoDrafter
from rest_lsp.drafting.tree import EMPTY_TREE, ROOT
from rest_lsp.engine.cuda_graphs import WARM_UP_PASSES, Compute
from rest_lsp.engine.linear import DenseLinear
from rest_lsp.engine.sampling import Sampling
from rest_lsp.engine.static_model import WIDTHS
from tests.engines import RandomDrafter, random_tree, run, run_scored, static_engine, tiny_engine

PROMPT = [(37 * i * i + 11 * i) % 448 for i in range(70)]


class Recorded:
    """Captures as CUDA does: runs for real a few times, and then gives the same tensor anew at each replay."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, compute: Compute) -> Compute:
        for _ in range(WARM_UP_PASSES):
            compute()
        result = torch.full_like(compute(), float("nan"))

        def replay() -> torch.Tensor:
            self.shapes.append(tuple(result.shape))
            return result.copy_(compute())

        return replay


@pytest.mark.parametrize("fixed_width", [False, True])
def test_logits_agree_with_pathwise_attention(tmp_path: Path, fixed_width: bool) -> None:
    exact = tiny_engine(tmp_path, "fp32")
    pair = [exact.verifier, static_engine(exact, fixed_width=fixed_width).verifier]
    draw = random.Random(5)
    for verifier in pair:
        verifier.prefill(PROMPT[:-1], CancelToken())
    for _ in range(12):
        tree = random_tree(draw, 448)
        a, b = (verifier.verify(PROMPT[-1], tree) for verifier in pair)
        assert torch.allclose(a, b, atol=1e-4, rtol=1e-4)
        deepest = max(range(len(tree)), key=lambda node: tree.depths[node], default=ROOT)
        for verifier in pair:
            verifier.keep(tree.path_to(deepest))
        assert pair[1].length == pair[0].length == len(PROMPT) + len(tree.path_to(deepest))
        a, b = (verifier.verify(3, EMPTY_TREE) for verifier in pair)
        assert torch.allclose(a, b, atol=1e-4, rtol=1e-4)
        for verifier in pair:
            verifier.cache.roll_back(len(PROMPT) - 1)


def test_a_tree_may_have_as_many_nodes_as_the_largest_pass(tmp_path: Path) -> None:
    exact = tiny_engine(tmp_path, "fp32")
    pair = [exact.verifier, static_engine(exact).verifier]
    tree = max((random_tree(random.Random(seed), 448, max_nodes=90) for seed in range(9)), key=len).cut(64)
    assert len(tree) == 64
    for verifier in pair:
        verifier.prefill(PROMPT[:-1], CancelToken())
    a, b = (verifier.verify(PROMPT[-1], tree) for verifier in pair)
    assert torch.allclose(a, b, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(0.9, 0.95, 50, 7)], ids=str)
def test_drafts_do_not_change_the_text_in_fp32(tmp_path: Path, sampling: Sampling) -> None:
    exact = tiny_engine(tmp_path, "fp32")
    plain = run(exact, PROMPT, NoDrafter(), sampling=sampling)
    engine = static_engine(exact)
    assert run(engine, PROMPT, NoDrafter(), sampling=sampling) == plain
    for seed in range(4):
        assert run(engine, PROMPT, RandomDrafter(seed, 448, plain, len(PROMPT)), sampling=sampling) == plain


def test_capturing_a_width_in_the_middle_of_a_text_leaves_no_trace(tmp_path: Path) -> None:
    exact = tiny_engine(tmp_path, "fp32")
    recorded = Recorded()
    captured, eager = static_engine(exact, capture=recorded).verifier, static_engine(exact).verifier
    draw = random.Random(3)
    for verifier in (captured, eager):
        verifier.prefill(PROMPT[:-1], CancelToken())
    for _ in range(10):
        tree = random_tree(draw, 448)
        a, b = (verifier.verify(PROMPT[-1], tree) for verifier in (captured, eager))
        assert torch.equal(a, b)
        for verifier in (captured, eager):
            verifier.keep([])
    assert len(set(recorded.shapes)) > 2, "widths were captured behind one another"


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(0.9, 0.95, 50, 7)], ids=str)
@pytest.mark.parametrize("dtype", ["bf16", "fp32"])
def test_in_one_width_drafts_change_no_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, sampling: Sampling
) -> None:
    monkeypatch.setattr("rest_lsp.engine.weights.RowLinear", DenseLinear)
    recorded = Recorded()
    engine = static_engine(tiny_engine(tmp_path, dtype), fixed_width=True, capture=recorded)
    plain = run_scored(engine, PROMPT, NoDrafter(), sampling=sampling)
    tokens = [token for token, _ in plain]
    accepted = 0
    for seed in range(3):
        drafter = RandomDrafter(seed, 448, tokens, len(PROMPT))
        assert run_scored(engine, PROMPT, drafter, sampling=sampling) == plain
        accepted += drafter.accepted
    assert accepted > 20
    assert set(recorded.shapes) == {(WIDTHS[-1], 448)}


def test_documents_take_turns_in_the_one_place_that_graphs_know(tmp_path: Path) -> None:
    exact = tiny_engine(tmp_path, "fp32")
    engine = static_engine(exact)
    other = [(29 * i * i + 7 * i) % 448 for i in range(60)]
    expected = {id(p): run(exact, p, NoDrafter(), max_tokens=8) for p in (PROMPT, other)}
    for prompt in (PROMPT, other, PROMPT, other):
        steps = engine.generate(prompt, context=prompt, drafter=NoDrafter(), cancel=CancelToken(), max_tokens=8)
        assert [token for step in steps for token in step.tokens] == expected[id(prompt)]
    assert engine.last_prefill.reused == len(other) - 1
