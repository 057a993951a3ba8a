"""The int8 linear equals exact integer arithmetic, on this CPU and on one without VNNI."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from rest_lsp.engine.choice import choose_form
from rest_lsp.engine.linear import GuardedRows, Int8Linear

PROBE = """
import sys, warnings
warnings.filterwarnings("ignore")
from rest_lsp.engine.choice import choose_form, select_int8_engine
from rest_lsp.engine.int8 import kernel_sums_are_exact
select_int8_engine()
print(choose_form("int8"), kernel_sums_are_exact(127), kernel_sums_are_exact(63))
"""


@pytest.mark.parametrize("instructions", [None, "AVX2"])
def test_the_chosen_weights_add_exactly(instructions: str | None) -> None:
    environment = {**os.environ, **({"FBGEMM_ENABLE_INSTRUCTIONS": instructions} if instructions else {})}
    done = subprocess.run([sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=True)
    form, eight_bits, seven_bits = done.stdout.split()
    assert seven_bits == "True"
    assert (form == "int8") == (eight_bits == "True")
    if instructions == "AVX2":
        assert form == "int7", "a kernel that adds pairs in 16 bits must have been found out"


@pytest.mark.parametrize("pattern", ["signs", "same", "spread"])
def test_a_product_is_the_exact_sum_of_quantised_activations(pattern: str) -> None:
    limit = {"int8": 127, "int7": 63}[choose_form("int8")]
    generator = torch.Generator().manual_seed(3)
    shape = (96, 128)
    weights = {
        "signs": (torch.randint(0, 2, shape, generator=generator) * 2 - 1) * limit,
        "same": torch.full(shape, limit),
        "spread": torch.randint(-limit, limit + 1, shape, generator=generator),
    }[pattern]
    # Whole steps of 2/255, and a largest magnitude that is cut off at 127 of them, leave nothing to rounding.
    steps = torch.randint(-126, 127, (9, 128), generator=generator)
    rows = steps.float() / 127.5
    rows[:, 0], steps[:, 0] = 1.0, 127
    factors = torch.logspace(-3, 3, 9)[:, None]
    y = Int8Linear(weights.to(torch.int8), torch.ones(96), None, GuardedRows())(rows * factors)
    exact = steps.double() @ weights.double().T
    assert torch.equal((y.double() / factors * 127.5).round(), exact)
