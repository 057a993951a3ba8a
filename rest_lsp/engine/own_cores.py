"""Each thread of a forward pass on a core of its own, where there are just as many cores.

A thread that waits for the others sleeps soon (`waiting`), and Linux may wake it on the core of the one that woke it.
Beside one busy process, two threads of a pass shared a core while that process had the other, and not for a moment but
for whole completions.  A thread that keeps to its core is woken there.  Where cores are left over, Linux finds one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba import prange

from rest_lsp.compiling import parallel_kernel

_ITSELF = 0
_WORD_BITS = 64

_numba: Any = numba
_types = _numba.types
_set_affinity = _types.ExternalFunction("sched_setaffinity", _types.int32(_types.int32, _types.uintp, _types.uintp))


@contextmanager
def own_cores(n_threads: int) -> Iterator[None]:
    """Parallel kernels that the calling thread runs within it have each of `n_threads` on its own core.

    Afterwards the calling thread may go where it could before; the others do nothing else and stay.
    """
    cores = _usable()
    if n_threads == 1 or len(cores) != n_threads or not _has_fixed_parts():
        yield
        return
    _spread(_masks(tuple(sorted(cores))))
    try:
        yield
    finally:
        _go_anywhere(cores)


def _usable() -> set[int]:
    return os.sched_getaffinity(_ITSELF) if hasattr(os, "sched_getaffinity") else set()


def _go_anywhere(cores: set[int]) -> None:
    if sys.platform == "linux":
        # Those may have been taken from this process meanwhile, and then the system has chosen others.
        with suppress(OSError):
            os.sched_setaffinity(_ITSELF, cores)


def _has_fixed_parts() -> bool:
    """Whether part i of a parallel loop is the same thread's each time; not known before the first loop has run."""
    try:
        return bool(_numba.threading_layer() == "omp")
    except ValueError:
        return False


@lru_cache(maxsize=8)
def _masks(cores: Sequence[int]) -> npt.NDArray[np.uint64]:
    """One core each, as sched_setaffinity(2) reads them; [threads, words]."""
    masks = np.zeros((len(cores), max(cores) // _WORD_BITS + 1), np.uint64)
    for part, core in enumerate(cores):
        masks[part, core // _WORD_BITS] = 1 << core % _WORD_BITS
    return masks


@parallel_kernel
def _spread(masks: npt.NDArray[np.uint64]) -> None:
    for part in prange(len(masks)):
        _set_affinity(_ITSELF, masks.shape[1] * 8, masks[part].ctypes.data)
