"""What is done to one row at a time: normalise, round to integers, gate, rotate.  Reads and writes plain arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rest_lsp.compiling import kernel, reordering_kernel
from rest_lsp.engine.kernels.lanes import float_of_bits, fma

Floats = npt.NDArray[np.float32]

_ROUNDING = np.float32(3 << 22)
"""Adding and subtracting 1.5 * 2**23 rounds a float32 below 2**22 to the nearest integer, ties to even."""

_MAGNITUDE = np.int32(0x7FFFFFFF)
"""Bits of a float but for its sign."""

_SMALLEST_SCALE = np.float32(1e-30)
"""What a row of zeros is divided by."""


@reordering_kernel
def sum_of_squares(x: Floats) -> np.float32:
    total = np.float32(0)
    for i in range(len(x)):
        total += x[i] * x[i]
    return total


@kernel
def largest(x: Floats) -> np.float32:
    """Of at least one number, none of them NaN.

    Compares bits: once those of negative numbers are turned over, they are in the order of the numbers.  A maximum of
    integers is found in vector registers; one of floats is not, because of NaN, and takes 15 times as long.
    """
    bits = x.view(np.int32)
    found = _ordered(bits[0])
    for i in range(1, len(bits)):
        found = max(found, _ordered(bits[i]))
    return float_of_bits(_ordered(found))


@kernel
def largest_magnitude(x: Floats) -> np.float32:
    """By its bits, as in `largest`."""
    bits = x.view(np.int32)
    found = np.int32(0)
    for i in range(len(bits)):
        found = max(found, np.int32(bits[i] & _MAGNITUDE))
    return float_of_bits(found)


@kernel
def _ordered(bits: np.int32) -> np.int32:
    """Bits of a float as an integer in the order of floats, and back."""
    return np.int32(bits ^ (np.int32(bits >> np.int32(31)) & _MAGNITUDE))


@kernel
def normalise(x: Floats, weight: Floats, eps: np.float32, out: Floats) -> None:
    """RMSNorm (arXiv 1910.07467) of one vector; `out` may be `x`."""
    n = len(weight)
    factor = np.float32(1) / np.sqrt(sum_of_squares(x) / np.float32(n) + eps)
    for i in range(n):
        out[i] = x[i] * factor * weight[i]


@kernel
def to_integers(x: Floats, largest: np.float32, out: npt.NDArray[np.int16]) -> np.float32:
    """Round `x` to integers within ±`largest` with one scale, which is returned; `out` may be longer than `x`."""
    scale = max(largest_magnitude(x) / largest, _SMALLEST_SCALE)
    inverse = np.float32(1) / scale
    for i in range(len(x)):
        rounded = (x[i] * inverse + _ROUNDING) - _ROUNDING
        out[i] = np.int16(min(max(rounded, -largest), largest))
    return scale


@kernel
def exponential(x: np.float32) -> np.float32:
    """e**x to 2 units in the last place, for finite x; below -87 it is about 1e-38 instead of less.

    Range reduction by powers of two and a polynomial of degree six (Cody and Waite), written out because a library's
    vector and scalar versions differ in the last bit.
    """
    x = min(max(x, np.float32(-87)), np.float32(88))
    n = fma(x, np.float32(1.44269504), _ROUNDING) - _ROUNDING
    r = fma(n, np.float32(-0.693359375), x)
    r = fma(n, np.float32(2.12194440e-4), r)
    p = fma(np.float32(1.9875691500e-4), r, np.float32(1.3981999507e-3))
    p = fma(p, r, np.float32(8.3334519073e-3))
    p = fma(p, r, np.float32(4.1665795894e-2))
    p = fma(p, r, np.float32(1.6666665459e-1))
    p = fma(p, r, np.float32(5.0000001201e-1))
    p = fma(p, r * r, r) + np.float32(1)
    return p * float_of_bits((np.int32(n) + np.int32(127)) << np.int32(23))


@kernel
def gate(gate_up: Floats, out: Floats) -> None:
    """SwiGLU's silu(first half) times second half (arXiv 2002.05202)."""
    n = len(out)
    for i in range(n):
        x = gate_up[i]
        out[i] = x / (np.float32(1) + exponential(-x)) * gate_up[n + i]


@kernel
def rotate(head: Floats, cos: Floats, sin: Floats) -> None:
    """Rotate one head in place by the angles of one position (RoFormer, arXiv 2104.09864 §3.2); halves are paired.

    cos, sin  [head_dim / 2]
    """
    half = len(cos)
    for i in range(half):
        a, b = head[i], head[half + i]
        head[i] = fma(a, cos[i], -(b * sin[i]))
        head[half + i] = fma(b, cos[i], a * sin[i])
