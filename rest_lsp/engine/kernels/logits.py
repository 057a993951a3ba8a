"""What is asked of one row of logits: its largest, and how likely that makes a token.  One row, one order of sums."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from rest_lsp.compiling import kernel, reordering_kernel
from rest_lsp.engine.kernels.rows import exponential, largest

Floats = npt.NDArray[np.float32]

_BLOCK = 1024
"""Numbers that are looked at together: they are summed in single precision before the sum goes on in double."""


@kernel
def first_largest(logits: Floats) -> int:
    """The lowest index of the largest number."""
    at, found = 0, largest(logits[:_BLOCK])
    for begin in range(_BLOCK, len(logits), _BLOCK):
        of_block = largest(logits[begin : begin + _BLOCK])
        if of_block > found:
            at, found = begin, of_block
    while at < len(logits) - 1 and logits[at] != found:
        at += 1
    return at


@kernel
def log_share(logits: Floats, token: int) -> float:
    """The natural logarithm of what softmax gives to `token`."""
    above = largest(logits)
    return float(logits[token]) - float(above) - math.log(sum_of_powers(logits, above, np.float32(1)))


@kernel
def sum_of_powers(logits: Floats, above: np.float32, sharpness: np.float32) -> float:
    """The sum of exp((x - above) * sharpness) over `logits`; none of them is greater than `above`."""
    total = 0.0
    for begin in range(0, len(logits), _BLOCK):
        total += float(_sum_of_powers(logits[begin : begin + _BLOCK], above, sharpness))
    return total


@reordering_kernel
def _sum_of_powers(x: Floats, above: np.float32, sharpness: np.float32) -> np.float32:
    total = np.float32(0)
    for i in range(len(x)):
        total += exponential((x[i] - above) * sharpness)
    return total
