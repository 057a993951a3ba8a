"""Stretched rotary frequencies as plain numbers.  Knows nothing about tensors of a model."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from rest_lsp.models.decoder_config import RopeScaling


def llama3_divisors(scaling: RopeScaling, theta: float, head_dim: int) -> npt.NDArray[np.float64]:
    """By what each of the head_dim / 2 frequencies is divided: 1 for fast ones, `factor` for slow ones, else a blend.

    "Fast" is a wavelength below original_max_context / high_freq_factor (Llama 3.1, "The Llama 3 Herd of Models").
    """
    wavelengths = 2 * math.pi * theta ** (np.arange(0, head_dim, 2, dtype=np.float64) / head_dim)
    turns = scaling.original_max_context / wavelengths
    kept = (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor)
    kept = np.clip(kept, 0.0, 1.0)
    return np.asarray(1.0 / (kept + (1.0 - kept) / scaling.factor))
