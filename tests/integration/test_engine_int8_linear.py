"""int8 weights on accelerators, as the CPU computes them: the same as the weights that they stand for."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from torch import Tensor

from rest_lsp.cancellation import CancelToken
from rest_lsp.drafting.drafter import NoDrafter
from rest_lsp.engine.engine import Engine
from rest_lsp.engine.int8_linear import Product, dequantised, trouble_with
from rest_lsp.engine.kv_pool import KVPool
from rest_lsp.engine.static_model import StaticModel
from rest_lsp.engine.verifier import ModelVerifier
from rest_lsp.engine.weights import build_decoder
from rest_lsp.models.convert import convert
from rest_lsp.models.packed import PackedModel
from rest_lsp.models.quantise import quantise_rows
from tests.engines import SIZES, RandomDrafter, load_tiny, random_tree, run
from tests.fakes_models import RandomSource, tiny_config

CPU = torch.device("cpu")
PROMPT = [(37 * i * i + 11 * i) % 448 for i in range(70)]


@pytest.fixture
def source() -> RandomSource:
    """Weights that int8 holds exactly, so that quantising them again changes nothing."""
    source = RandomSource(tiny_config(**SIZES))
    for name, tensor in source.tensors.items():
        if tensor.ndim == 2:
            rows = quantise_rows(tensor * (3.0 / tensor.shape[1] ** 0.5), 127)
            source.tensors[name] = rows.integers * rows.scales[:, None]
    return source


def int8_engine(source: RandomSource, folder: Path, dtype: torch.dtype) -> Engine:
    """Accelerators' model with int8 weights and activations in `dtype`, on the CPU."""
    convert(source, folder / "int8", form="int8", name="tiny")
    decoder = build_decoder(PackedModel.open(folder / "int8"), device=CPU, dtype=dtype, n_positions=256)
    model = StaticModel(decoder, capacity=256, device=CPU)
    exact = load_tiny(folder / "int8", "int8")
    return Engine(ModelVerifier(model, KVPool(model)), exact.info)


def test_logits_are_those_of_the_dequantised_weights(source: RandomSource, tmp_path: Path) -> None:
    convert(source, tmp_path / "fp32", form="fp32", name="tiny")
    oracle = load_tiny(tmp_path / "fp32", "fp32")
    pair = [int8_engine(source, tmp_path, torch.float32).verifier, oracle.verifier]
    draw = random.Random(2)
    for verifier in pair:
        verifier.prefill(PROMPT[:-1], CancelToken())
    for _ in range(8):
        tree = random_tree(draw, 448)
        a, b = (verifier.verify(PROMPT[-1], tree) for verifier in pair)
        # The embedding is kept in bf16 beside int8 weights, hence not closer.
        assert torch.allclose(a, b, atol=3e-2 * float(b.abs().max()))
        for verifier in pair:
            verifier.keep([])
            verifier.cache.roll_back(len(PROMPT) - 1)


def test_drafts_do_not_change_the_text_in_fp32(source: RandomSource, tmp_path: Path) -> None:
    engine = int8_engine(source, tmp_path, torch.float32)
    plain = run(engine, PROMPT, NoDrafter())
    drafter = RandomDrafter(1, 448, plain, len(PROMPT))
    assert run(engine, PROMPT, drafter) == plain
    assert drafter.accepted > 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_a_product_is_that_of_the_numbers_that_the_integers_stand_for(dtype: torch.dtype) -> None:
    torch.manual_seed(3)
    x = torch.randn(5, 200).to(dtype)
    weight, scales = torch.randint(-127, 128, (30, 200), dtype=torch.int8), torch.rand(30)
    expected = x.double() @ (weight.double() * scales[:, None].double()).T
    error = (dequantised(x, weight, scales).double() - expected).abs().max() / expected.abs().max()
    # The result is rounded to `dtype`; its sum of 200 products is rounded in float32.
    assert error < 2 * torch.finfo(dtype).eps + 200 * torch.finfo(torch.float32).eps


def without_scales(x: Tensor, weight: Tensor, scales: Tensor) -> Tensor:
    return dequantised(x, weight, torch.ones_like(scales))


def wrong_beyond_a_block(x: Tensor, weight: Tensor, scales: Tensor) -> Tensor:
    y = dequantised(x, weight, scales)
    y[64:] = 0
    return y


def not_compiled(*_operands: Tensor) -> Tensor:
    raise RuntimeError("no such instruction")


@pytest.mark.parametrize(
    ("product", "trouble"),
    [
        (dequantised, None),
        (without_scales, "wrong for 1 rows"),
        (wrong_beyond_a_block, "wrong for 65 rows"),
        (not_compiled, "failed (RuntimeError)"),
    ],
)
def test_a_kernel_that_is_wrong_on_a_device_is_found_out(product: Product, trouble: str | None) -> None:
    found = trouble_with(product, CPU, torch.bfloat16)
    assert found is None if trouble is None else trouble in str(found)
