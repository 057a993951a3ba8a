"""The int8 kernels: exact integer sums, elementary functions, and the logits of the same weights in floating point."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rest_lsp.cancellation import CancelToken
from rest_lsp.drafting.tree import EMPTY_TREE
from rest_lsp.engine.kernels.check import product, product_is_exact
from rest_lsp.engine.kernels.logits import first_largest
from rest_lsp.engine.kernels.product import largest_activation
from rest_lsp.engine.kernels.rows import exponential, gate, largest, largest_magnitude, rotate, to_integers
from rest_lsp.models.convert import convert
from rest_lsp.models.packed import DecoderConfig
from tests.engines import SIZES, load_tiny
from tests.fakes_models import RandomSource, tiny_config

PROBE = "from rest_lsp.engine.kernels.check import product_is_exact; print(product_is_exact(160))"


@pytest.mark.parametrize("n_in", [16, 50, 896, 1281, 1300, 2570, 4864, 8960])
def test_sums_are_exact_for_the_inputs_that_overflow_first(n_in: int) -> None:
    assert product_is_exact(n_in)


@pytest.mark.parametrize(
    "variables", [{"FBGEMM_ENABLE_INSTRUCTIONS": "AVX2"}, {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}]
)
def test_sums_are_exact_without_wide_vector_instructions(tmp_path: Path, variables: dict[str, str]) -> None:
    environment = {**os.environ, **variables, "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_a_missing_thread_library_is_noticed() -> None:
    probe = "from rest_lsp.engine.kernels.check import thread_pool; print(thread_pool())"
    environment = {**os.environ, "NUMBA_THREADING_LAYER": "workqueue"}
    done = subprocess.run([sys.executable, "-c", probe], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "workqueue"


def test_larger_activations_would_overflow() -> None:
    n_in = 896
    weights = np.full((2, n_in), 127)
    fits, overflows = (np.full((1, n_in), largest_activation(n_in) + more) for more in (0, 1))
    assert (product(fits, weights) > 0).all()
    assert (product(overflows, weights) < 0).all()


@pytest.mark.parametrize("n_out", [1, 256, 257, 600])
@pytest.mark.parametrize("n_parts", [1, 3])
def test_every_output_is_there_however_many_are_scaled_at_a_time(n_out: int, n_parts: int) -> None:
    draw = np.random.default_rng(n_out)
    weights, rows = draw.integers(-127, 128, (n_out, 130)), draw.integers(-999, 1000, (11, 130))
    for n in range(1, len(rows) + 1):
        assert np.array_equal(product(rows[:n], weights, n_parts=n_parts), rows[:n] @ weights.T)


def test_exponential_is_within_two_units_in_the_last_place() -> None:
    x = np.concatenate([np.linspace(-86, 87, 20001), np.linspace(-1, 1, 5001), [0.0]]).astype(np.float32)
    exact = np.exp(x.astype(np.float64))
    got = np.array([exponential(value) for value in x], dtype=np.float64)
    assert (np.abs(got - exact) <= 2 * np.spacing(exact.astype(np.float32))).all()
    assert exponential(np.float32(0)) == 1
    assert 0 <= exponential(np.float32(-1e30)) < 1e-37


@given(arrays(np.float32, st.integers(1, 70), elements=st.floats(width=32, allow_nan=False)))
def test_the_largest_is_found_by_its_bits(x: npt.NDArray[np.float32]) -> None:
    assert largest(x) == x.max()
    assert largest_magnitude(x) == np.abs(x).max()


@given(st.integers(1, 5000), st.lists(st.integers(0, 4999), min_size=1, max_size=4), st.sampled_from([-7.0, -0.0, 9.0]))
def test_of_equal_logits_the_first_is_taken(n: int, places: list[int], value: float) -> None:
    logits = np.full(n, -8.0, np.float32)
    logits[[place % n for place in places]] = value
    assert first_largest(logits) == logits.argmax()


def test_gate_is_silu_times_up() -> None:
    both = np.random.default_rng(1).normal(0, 4, 2 * 333).astype(np.float32)
    out = np.empty(333, np.float32)
    gate(both, out)
    expected = torch.nn.functional.silu(torch.from_numpy(both[:333])) * torch.from_numpy(both[333:])
    assert torch.allclose(torch.from_numpy(out), expected, rtol=2e-6, atol=1e-7)


def test_rotating_keeps_lengths_and_angles() -> None:
    head = np.random.default_rng(2).normal(0, 1, 8).astype(np.float32)
    angle = np.array([0.1, 1.0, 2.0, 3.0], np.float32)
    rotated = head.copy()
    rotate(rotated, np.cos(angle), np.sin(angle))
    pairs, turned = head[:4] + 1j * head[4:], rotated[:4] + 1j * rotated[4:]
    assert np.allclose(turned, pairs * np.exp(1j * angle), atol=1e-6)


def test_rows_are_rounded_to_the_whole_range_of_integers() -> None:
    x = np.array([0.5, -2.0, 0.0, 1.25], np.float32)
    out = np.zeros(6, np.int16)
    scale = to_integers(x, np.float32(1000), out)
    assert out.tolist() == [250, -1000, 0, 625, 0, 0]
    assert np.allclose(out[:4] * scale, x)
    to_integers(np.zeros(4, np.float32), np.float32(1000), out)
    assert out.tolist() == [0] * 6


SHAPES: dict[str, DecoderConfig] = {
    "biased": tiny_config(**SIZES),
    "plain": tiny_config(**SIZES, qkv_bias=False, o_bias=False, mlp_bias=False, qk_norm=False),
    "granite": tiny_config(
        **SIZES, embedding_multiplier=6.0, attention_multiplier=0.2, residual_multiplier=0.5, logits_divisor=4.0
    ),
    "uneven": tiny_config(**{**SIZES, "hidden_size": 72, "ffn_size": 100}, vocab_size=451),
    "seven-heads": tiny_config(**{**SIZES, "head_dim": 24}, n_heads=7, n_kv_heads=1),
    "three-heads": tiny_config(**{**SIZES, "head_dim": 8}, n_heads=3, n_kv_heads=1),
    "own-heads": tiny_config(**{**SIZES, "head_dim": 32}, n_heads=4, n_kv_heads=4),
    "several-panels": tiny_config(**{**SIZES, "ffn_size": 1400}),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_logits_equal_those_of_the_rounded_weights_in_floating_point(tmp_path: Path, shape: str) -> None:
    """The decoder in torch, which transformers judges, is the oracle: its weights are put on the int8 grid first."""
    source = RandomSource(SHAPES[shape])
    for name, tensor in source.tensors.items():
        if tensor.ndim == 2:
            scaled = tensor * (3.0 / tensor.shape[1] ** 0.5)
            steps = np.abs(scaled).max(axis=1, keepdims=True) / np.float32(127)
            rounded = (np.rint(scaled / steps) * steps).astype(np.float32)
            # The embedding is looked up in bfloat16 by one and in float32 by the other.
            source.tensors[name] = to_half_precision(scaled) if name.startswith("embed") else rounded
    tokens = [(37 * i * i + 11 * i) % 448 for i in range(150)]
    logits = []
    for form in ("int8", "fp32"):
        convert(source, tmp_path / form, form=form, name="tiny")
        engine = load_tiny(tmp_path / form, form)
        engine.verifier.prefill(tokens[:-1], CancelToken())
        logits.append(engine.verifier.verify(tokens[-1], EMPTY_TREE)[0].clone())
    integers, floats = logits
    assert (integers - floats).abs().max() < 2e-3 * floats.abs().max()


def to_half_precision(
    x: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return torch.from_numpy(x).bfloat16().float().numpy()
