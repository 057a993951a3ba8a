"""Numbers of a weight form: rounding to int8 and to bfloat16.  Pure numpy; knows nothing about files."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

# Rows below this are zero: their scale would be too small for float32 to hold with precision.
_NOTHING = 1e-30


class QuantisedRows(NamedTuple):
    """`integers` [rows, columns] int8 and `scales` [rows] float32; a weight is about integers * scales."""

    integers: npt.NDArray[np.int8]
    scales: npt.NDArray[np.float32]


def quantise_rows(weights: npt.NDArray[np.float32], steps: int) -> QuantisedRows:
    """Symmetric integers within ±`steps`, one scale per output row, rounded half to even."""
    largest = np.abs(weights).max(axis=1)
    largest[largest < _NOTHING] = 0
    scales = (largest / np.float32(steps)).astype(np.float32)
    inverse = np.divide(np.float32(steps), largest, out=np.zeros_like(largest), where=largest > 0)
    scaled = weights * inverse[:, None]
    np.rint(scaled, out=scaled)
    np.clip(scaled, -steps, steps, out=scaled)
    return QuantisedRows(scaled.astype(np.int8), scales)


def to_bfloat16(weights: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """The upper 16 bits, rounded half to even; infinities stay, and NaN does not occur in weights."""
    bits = np.ascontiguousarray(weights).view(np.uint32)
    return ((bits + (((bits >> 16) & 1) + np.uint32(0x7FFF))) >> 16).astype(np.uint16)


def from_bfloat16(bits: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """Exact."""
    return (bits.astype(np.uint32) << 16).view(np.float32)
