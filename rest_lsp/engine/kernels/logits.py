"""What is asked of one row of logits: its largest ones, how likely that makes a token.  One row, one order of sums."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from rest_lsp.compiling import kernel, reordering_kernel
from rest_lsp.engine.kernels.rows import exponential, largest

Floats = npt.NDArray[np.float32]

_BLOCK, _SPAN = 1024, 64
"""Numbers that are summed in single precision before the sum goes on in double; that are passed over together."""


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


@kernel
def at_least(logits: Floats, floor: np.float32) -> npt.NDArray[np.int64]:
    """The indices of all that are not below `floor`, ascending.  Spans without any are seen by their largest."""
    n = len(logits)
    tops = np.empty((n + _SPAN - 1) // _SPAN, np.float32)
    n_found = 0
    for span in range(len(tops)):
        part = logits[span * _SPAN : (span + 1) * _SPAN]
        tops[span] = largest(part)
        if tops[span] >= floor:
            for x in part:
                n_found += int(x >= floor)
    found = np.empty(n_found, np.int64)
    n_found = 0
    for span in range(len(tops)):
        if tops[span] >= floor:
            for at in range(span * _SPAN, min(n, (span + 1) * _SPAN)):
                if logits[at] >= floor:
                    found[n_found] = at
                    n_found += 1
    return found


@reordering_kernel
def _sum_of_powers(x: Floats, above: np.float32, sharpness: np.float32) -> np.float32:
    total = np.float32(0)
    for i in range(len(x)):
        total += exponential((x[i] - above) * sharpness)
    return total
