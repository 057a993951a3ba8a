"""The GPU that torch can use: what it is, and whether it computes rightly.  Found out by trying, not looked up."""

from __future__ import annotations

from typing import NamedTuple

import torch

_SIDE = 64
"""Of the matrices that are multiplied for a trial; their numbers are so small that every format holds them exactly."""


class Gpu(NamedTuple):
    """`about` is what a person wants to know besides the name."""

    device: str
    name: str
    about: str


def usable_gpu() -> Gpu | None:
    """None where torch finds none that it can use."""
    if torch.cuda.is_available():
        found = torch.cuda.get_device_properties(torch.cuda.current_device())
        free, total = torch.cuda.mem_get_info()
        capability = f"CUDA {torch.version.cuda}, compute capability {found.major}.{found.minor}"
        return Gpu("cuda", found.name, f"{capability}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free")
    return Gpu("mps", "Apple's GPU", "by Metal") if torch.backends.mps.is_available() else None


def cuda_of_torch() -> str | None:
    """The version of CUDA that torch was built with; None for a build without."""
    return torch.version.cuda


def trouble_on(device: str) -> str | None:
    """What is wrong with a product of matrices in one of the formats that models run in; None when all are right."""
    halves = [torch.bfloat16] if device == "cuda" and torch.cuda.is_bf16_supported() else [torch.float16]
    for dtype in (*halves, torch.float32):
        try:
            ones = torch.ones(_SIDE, _SIDE, device=device, dtype=dtype)
            is_right = bool(((ones @ ones) == _SIDE).all())
        except RuntimeError as error:
            return f"torch cannot compute on it: {str(error).splitlines()[0]}"
        if not is_right:
            return f"a product in {dtype} came out wrong"
    return None


def reserved_gpu_bytes() -> int:
    """GPU memory that this process holds."""
    return int(torch.cuda.memory_reserved()) if torch.cuda.is_available() else 0
