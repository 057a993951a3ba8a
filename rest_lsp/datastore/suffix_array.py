"""Suffix arrays of integer sequences: pydivsufsort when it is there and right, else prefix doubling in numpy.

Knows nothing about tokens, documents or files.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]
Rows = npt.NDArray[np.int32]
Sorter = Callable[[Values], Rows]

CHECKED_PAIRS = 256
CHECKED_DEPTH = 64

_log = logging.getLogger(__name__)


def suffix_array(values: Values) -> Rows:
    """int32[n]: the starts of all suffixes in order.  A suffix that is a prefix of another comes first.

    The result of the library is checked (a permutation; sampled neighbours in order) before it is trusted.
    """
    rows = _library_suffix_array(values)
    if rows is not None and is_plausible(values, rows):
        return rows
    return doubling_suffix_array(values)


def doubling_suffix_array(values: Values, depth: int | None = None) -> Rows:
    """Prefix doubling (Manber and Myers 1990).  With `depth`, suffixes are told apart by that many values at least."""
    n = len(values)
    if n == 0:
        return np.zeros(0, dtype=np.int32)
    rows = np.argsort(values, kind="stable")
    rank = _ranks(values[rows].astype(np.int64), rows)
    known = 1
    while rank[rows[-1]] < n - 1 and (depth is None or known < depth):
        following = np.zeros(n, dtype=np.int64)
        following[: max(n - known, 0)] = rank[known:] + 1
        key = rank * (n + 1) + following
        rows = np.argsort(key, kind="stable")
        rank = _ranks(key[rows], rows)
        known *= 2
    return rows.astype(np.int32)


def is_plausible(values: Values, rows: Rows) -> bool:
    """Whether `rows` is a permutation whose sampled neighbours are in order.  Linear, a few ms per million."""
    n = len(values)
    if len(rows) != n or (n and (int(rows.min()) < 0 or int(rows.max()) >= n)):
        return False
    seen = np.zeros(n, dtype=np.bool_)
    seen[rows] = True
    if not seen.all():
        return False
    for upper in np.unique(np.linspace(1, n - 1, CHECKED_PAIRS, dtype=np.int64)) if n > 1 else ():
        first, second = int(rows[upper - 1]), int(rows[upper])
        if values[first : first + CHECKED_DEPTH].tolist() > values[second : second + CHECKED_DEPTH].tolist():
            return False
    return True


def _ranks(sorted_keys: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    steps = np.zeros(len(rows), dtype=np.int64)
    steps[1:] = sorted_keys[1:] != sorted_keys[:-1]
    rank = np.empty(len(rows), dtype=np.int64)
    rank[rows] = np.cumsum(steps)
    return rank


def _library_suffix_array(values: Values) -> Rows | None:
    if len(values) == 0:
        return None
    try:
        from pydivsufsort import divsufsort
    except (ImportError, OSError) as error:
        _log.info("pydivsufsort cannot be used (%s); sorting with numpy", error)
        return None
    try:
        return np.asarray(divsufsort(values), dtype=np.int32)
    except Exception as error:  # noqa: BLE001  The index must not depend on what the library may raise.
        _log.warning("pydivsufsort failed (%s); sorting with numpy", error)
        return None
