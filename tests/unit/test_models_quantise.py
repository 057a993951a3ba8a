"""Rounding of weights: the nearest value, ties to even, never beyond the steps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rest_lsp.models.quantise import from_bfloat16, quantise_rows, to_bfloat16

floats = st.floats(-1e4, 1e4, width=32)
matrices = hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 9)), elements=floats)


@pytest.mark.parametrize("steps", [127, 63])
@given(weights=matrices)
def test_every_weight_is_within_half_a_step(weights: npt.NDArray[np.float32], steps: int) -> None:
    rows = quantise_rows(weights, steps)
    assert rows.integers.dtype == np.int8
    assert np.abs(rows.integers.astype(int)).max() <= steps
    restored = rows.integers.astype(np.float64) * rows.scales[:, None]
    assert (np.abs(restored - weights) <= rows.scales[:, None].astype(np.float64) * 0.501 + 1e-30).all()


@pytest.mark.parametrize("steps", [127, 63])
def test_the_largest_weight_of_a_row_takes_all_steps(steps: int) -> None:
    rows = quantise_rows(np.array([[1.0, -4.0, 2.0], [0.5, 0.25, 0.0]], np.float32), steps)
    assert rows.integers[0, 1] == -steps
    assert rows.integers[1, 0] == steps


def test_ties_go_to_even() -> None:
    rows = quantise_rows(np.array([[127.0, 0.5, 1.5, 2.5, -0.5, -1.5]], np.float32), 127)
    assert rows.integers.tolist() == [[127, 0, 2, 2, 0, -2]]


def test_a_row_of_zeros_stays_zero() -> None:
    rows = quantise_rows(np.zeros((2, 3), np.float32), 127)
    assert not rows.integers.any()
    assert not rows.scales.any()


@given(weights=matrices)
def test_bfloat16_is_the_nearest_of_its_neighbours(weights: npt.NDArray[np.float32]) -> None:
    rounded = from_bfloat16(to_bfloat16(weights))
    truncated = from_bfloat16((weights.view(np.uint32) >> 16).astype(np.uint16))
    above = from_bfloat16(((weights.view(np.uint32) >> 16) + 1).astype(np.uint16))
    best = np.minimum(np.abs(weights - truncated), np.abs(weights - above))
    assert (np.abs(weights - rounded) == best).all()


def test_bfloat16_ties_go_to_even() -> None:
    halfway = np.array([0x3F808000, 0x3F818000], np.uint32).view(np.float32)
    assert [hex(bits) for bits in to_bfloat16(halfway)] == ["0x3f80", "0x3f82"]
