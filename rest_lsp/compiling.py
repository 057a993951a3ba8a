"""How kernels are compiled: by numba, at first use, kept on disk for later starts.

Fast mathematics stays off unless a kernel asks for it by name: bit-exact verification needs every element's operations
in one fixed order, whatever the vector width and whatever other rows are in the pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

from rest_lsp.waiting import wait_politely

# The library that runs parallel loops reads this when it is loaded, at the first of them, wherever that is called from.
wait_politely()

Function = TypeVar("Function", bound=Callable[..., object])

_njit: Any = numba.njit
"""Its own types turn functions into dispatchers, which cannot be told from functions in use."""

REORDERED = frozenset({"reassoc", "nsz", "nnan", "contract"})
"""For sums along one row, so that they use vector registers.  A kernel compiled with it adds in an order that depends
only on the length, since all callers run the same machine code."""


def kernel(function: Function) -> Function:
    """Compile without Python objects; holds no lock while it runs."""
    return _compiled(function, nogil=True)


def reordering_kernel(function: Function) -> Function:
    """Like `kernel`, with sums in the order that suits the registers."""
    return _compiled(function, nogil=True, fastmath=set(REORDERED))


def parallel_kernel(function: Function) -> Function:
    """Like `kernel`; loops over `prange` are divided between threads."""
    return _compiled(function, nogil=True, parallel=True)


def _compiled(function: Function, **options: object) -> Function:
    try:
        return _njit(function, cache=True, error_model="numpy", **options)  # type: ignore[no-any-return]
    except RuntimeError:
        # Neither the package's folder nor the user's cache can be written: compiled anew at each start.
        return _njit(function, error_model="numpy", **options)  # type: ignore[no-any-return]
