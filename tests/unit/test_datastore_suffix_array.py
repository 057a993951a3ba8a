"""Suffix arrays against sorting all suffixes."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_lsp.datastore.suffix_array import Rows, Values, doubling_suffix_array, is_plausible, suffix_array

VALUES = st.one_of(
    st.lists(st.integers(0, 3), max_size=60),
    st.lists(st.integers(0, 65_535), max_size=60),
    st.integers(1, 80).map(lambda n: [7] * n),
)


def naive(values: list[int]) -> list[int]:
    return sorted(range(len(values)), key=lambda start: values[start:])


@given(VALUES, st.booleans())
def test_both_sorters_order_all_suffixes(values: list[int], narrow: bool) -> None:
    array: Values = np.array(values, dtype=np.uint16) if narrow else np.array(values, dtype=np.uint32)
    assert suffix_array(array).tolist() == naive(values)
    assert doubling_suffix_array(array).tolist() == naive(values)


@given(st.lists(st.integers(0, 2), max_size=200), st.integers(1, 32))
def test_a_depth_orders_suffixes_that_deep(values: list[int], depth: int) -> None:
    rows = doubling_suffix_array(np.array(values, dtype=np.uint16), depth).tolist()
    cut = [values[row : row + depth] for row in rows]
    assert sorted(rows) == list(range(len(values)))
    assert cut == sorted(cut)


def test_wrong_orders_are_recognised() -> None:
    values = np.array([3, 1, 2, 1, 2], dtype=np.uint16)
    right = suffix_array(values)
    assert is_plausible(values, right)
    swapped = right.copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    repeated = right.copy()
    repeated[0] = repeated[1]
    too_far = right.copy()
    too_far[0] = len(values)
    for wrong in (swapped, repeated, too_far, right[:-1]):
        assert not is_plausible(values, wrong)


def _raises(_: Values) -> Rows:
    raise AssertionError("the library is broken")


@pytest.mark.parametrize(
    "library",
    [
        None,
        SimpleNamespace(divsufsort=_raises),
        SimpleNamespace(divsufsort=lambda values: np.arange(len(values), dtype=np.int32)),
    ],
    ids=["missing", "raising", "wrong"],
)
def test_a_library_that_fails_is_replaced(library: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydivsufsort", library)
    values = [5, 3, 5, 3, 1, 5, 3]
    assert suffix_array(np.array(values, dtype=np.uint16)).tolist() == naive(values)
