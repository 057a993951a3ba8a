"""Accelerators' passes, on the CPU, are not bit-exact: what rounding decided is told from what is wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from typer.testing import CliRunner, Result

from rest_lsp.bench.cli import app
from rest_lsp.bench.near_ties import NEAR, Doubt, doubts_of, judgement_of
from rest_lsp.bench.results import common_prefix
from rest_lsp.completion.prompt import Prompt
from rest_lsp.drafting.drafter import NoDrafter
from rest_lsp.engine.decoder import Decoder
from rest_lsp.engine.engine import Engine
from rest_lsp.engine.static_model import StaticModel
from rest_lsp.models.convert import convert
from tests.engines import SIZES, RandomDrafter, run, tiny_engine
from tests.fakes_models import RandomSource, tiny_config


def nobody_sees_its_parent(parents: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Another one."""
    return np.eye(len(parents), dtype=np.bool_)


class SplitLinear:
    """Sums otherwise for several rows than for one, and rounds in between, as libraries of accelerators may."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight, self._bias = weight, bias
        self.n_bytes = weight.nbytes

    def __call__(self, x: Tensor) -> Tensor:
        if len(x) == 1:
            return F.linear(x, self._weight, self._bias)
        half = x.shape[1] // 2
        return F.linear(x[:, :half], self._weight[:, :half], self._bias) + F.linear(x[:, half:], self._weight[:, half:])


def masked_on_the_cpu(decoder: Decoder, *, capacity: int, device: torch.device) -> StaticModel:
    return StaticModel(decoder, capacity=capacity, device=device)


def everybody_sees_all_before(parents: Sequence[int]) -> npt.NDArray[np.bool_]:
    """A mask as a bug may make it: siblings see each other."""
    return np.tri(len(parents), dtype=np.bool_)


@pytest.fixture
def accelerated(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU computes as accelerators do: all rows in one product, a tree mask in static passes."""
    monkeypatch.setattr("rest_lsp.engine.engine.PathwiseModel", masked_on_the_cpu)
    monkeypatch.setattr("rest_lsp.engine.weights.RowLinear", SplitLinear)


def prompt_of(seed: int) -> Prompt:
    ids = [(37 * i * i + (11 + seed) * i + seed) % 448 for i in range(60)]
    return Prompt(ids=ids, context_ids=ids, prefix_ids=ids, middle_ids=[], suffix_ids=[], healing=None)


def judged(engine: Engine, n_prompts: int) -> tuple[int, int, int]:
    """Outputs that differ, near ties, and errors."""
    n_differing = near = errors = 0
    for seed in range(n_prompts):
        prompt = prompt_of(seed)
        plain = run(engine, prompt.ids, NoDrafter())
        rest = run(engine, prompt.ids, RandomDrafter(seed, 448, plain, len(prompt.ids)))
        if plain != rest:
            judgement = judgement_of(doubts_of(engine, prompt, plain, rest), is_exact=False)
            n_differing, near, errors = n_differing + 1, near + judgement.near_ties, errors + judgement.errors
    return n_differing, near, errors


@pytest.mark.usefixtures("accelerated")
def test_in_bf16_some_tokens_differ_and_all_of_them_are_near_ties(tmp_path: Path) -> None:
    n_differing, near, errors = judged(tiny_engine(tmp_path, "bf16"), 6)
    assert n_differing > 0
    assert near >= n_differing
    assert errors == 0


@pytest.mark.usefixtures("accelerated")
@pytest.mark.parametrize("dtype", ["bf16", "fp32"])
def test_a_broken_mask_makes_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str) -> None:
    monkeypatch.setattr("rest_lsp.engine.static_pass.ancestors_of", everybody_sees_all_before)
    n_differing, _, errors = judged(tiny_engine(tmp_path, dtype), 6)
    assert errors >= n_differing > 0


def test_every_token_of_the_drafted_output_is_judged_by_plain_decoding(tmp_path: Path) -> None:
    engine, prompt = tiny_engine(tmp_path, "fp32"), prompt_of(0)
    plain = run(engine, prompt.ids, NoDrafter(), max_tokens=12)
    forced = [*plain[:4], (plain[4] + 1) % 448]
    after = run(engine, [*prompt.ids, *forced], NoDrafter(), max_tokens=6)
    follows = doubts_of(engine, prompt, plain, [*forced, *after])
    assert [doubt.position for doubt in follows] == [4], "what follows is plain decoding's own"
    twice = doubts_of(engine, prompt, plain, [*forced, *after[:2], (after[2] + 1) % 448])
    assert [doubt.position for doubt in twice] == [4, 7]
    assert min(doubt.gap for doubt in twice) > NEAR
    assert common_prefix(run(engine, prompt.ids, NoDrafter(), max_tokens=12), plain) == 12, "nothing is left behind"


def test_rounding_explains_small_gaps_and_nothing_where_verification_is_exact() -> None:
    doubts = [Doubt(3, 7, 0.0), Doubt(5, 8, NEAR), Doubt(9, 1, 40.0)]
    assert judgement_of(doubts, is_exact=False) == (2, 1, 40.0)
    assert judgement_of(doubts, is_exact=True) == (0, 3, 40.0)


@pytest.fixture
def bench_folder(tmp_path: Path) -> Path:
    """A model and a workspace."""
    folder = tmp_path
    source = RandomSource(tiny_config(**{**SIZES, "max_context": 2048}))
    for name, tensor in source.tensors.items():
        if tensor.ndim == 2:
            source.tensors[name] = tensor * (3.0 / tensor.shape[1] ** 0.5)
    convert(source, folder / "model", form="bf16", name="tiny")
    (folder / "workspace").mkdir()
    lines = "\n".join(f"    total_{i % 5} = value + {i % 7} * total_{i % 3}" for i in range(40))
    (folder / "workspace" / "a.py").write_text(f"def add(value):\n{lines}\n    return value\n", encoding="utf-8")
    return folder


def bench(folder: Path) -> tuple[Result, dict[str, Any]]:
    command = ["decode", "--workspace", str(folder / "workspace"), "--per-kind", "3", "--nodes", "16", "--json"]
    command += [str(folder / "report.json"), "--model", str(folder / "model"), "--device", "cpu"]
    command += ["--model-cache-dir", str(folder / "cache"), "--device-dtype", "bf16", "--device-threads", "2"]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return result, report


@pytest.mark.usefixtures("accelerated")
def test_the_benchmark_counts_near_ties_and_fails_by_errors_only(
    bench_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, report = bench(bench_folder)
    assert result.exit_code == 0, result.output
    assert report["summary"]["errors"] == 0
    assert report["summary"]["near_ties"] == sum(row["near_ties"] for row in report["mismatches"]) > 0
    assert "0 true errors" in result.output
    monkeypatch.setattr("rest_lsp.engine.static_pass.ancestors_of", nobody_sees_its_parent)
    result, report = bench(bench_folder)
    assert result.exit_code == 1
    assert report["summary"]["errors"] > 0
    assert "roundings apart" in result.output
