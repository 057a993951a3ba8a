"""Which device and number format to use on this machine, each with its reason."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from rest_lsp.errors import ConfigError
from rest_lsp.models.packed import WeightForm

_TYPES: dict[str, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Choice:
    """A decision and why it was taken, for `status`, `doctor` and the log."""

    value: str
    reason: str


def choose_device(wanted: str) -> Choice:
    """`wanted` is auto, cpu, cuda or mps.  Raises `ConfigError` when the named device is not there."""
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        name = next(device for device in ("cuda", "mps", "cpu") if present[device])
        return Choice(name, "no GPU that torch can use was found" if name == "cpu" else "a GPU was found")
    if not present.get(wanted, False):
        raise ConfigError(f"device.name is {wanted}, but torch finds no such device here.", "Use auto or cpu.")
    return Choice(wanted, "device.name asks for it")


def choose_dtype(wanted: str, device: str) -> Choice:
    """`wanted` is auto, int8, fp32, bf16 or fp16.  Raises `ConfigError` for a format that the device cannot run."""
    allowed = {"cpu": ("int8", "fp32", "bf16"), "cuda": ("bf16", "fp16", "fp32", "int8")}.get(
        device, (*_halves(device), "fp32")
    )
    if wanted != "auto":
        if wanted not in allowed:
            raise ConfigError(f"device.dtype {wanted} cannot run on {device}.", f"Use auto or {', '.join(allowed)}.")
        return Choice(wanted, "device.dtype asks for it")
    if device == "cpu":
        return Choice("int8", "a CPU is bound by memory bandwidth, and int8 reads least")
    half = _halves(device)[0]
    return Choice(half, "the GPU computes in bf16" if half == "bf16" else "the GPU has no bf16")


def activation_type(dtype: str, device: str) -> torch.dtype:
    """The type of what goes from layer to layer, for each weight format that torch computes with."""
    return _TYPES[_halves(device)[0] if dtype == "int8" else dtype]


def _halves(device: str) -> tuple[str, ...]:
    """The formats of 16 bits that a GPU has, the better one first: models are trained in bf16, and some overflow fp16.

    Older cards emulate bf16, slowly; Metal has it from macOS 14 on.
    """
    if device == "cuda":
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        has_bf16 = torch.backends.mps.is_available() and torch.backends.mps.is_macos_or_newer(14, 0)
    return ("bf16", "fp16") if has_bf16 else ("fp16",)


def choose_form(dtype: str) -> WeightForm:
    """The packed form that holds the weights of a number format."""
    forms: dict[str, WeightForm] = {"int8": "int8", "fp32": "fp32"}
    return forms.get(dtype, "bf16")


def free_gpu_bytes() -> int | None:
    """Memory of the GPU that nobody uses, and on Apple's no more than Metal recommends.  None without a GPU."""
    if torch.cuda.is_available():
        # What torch keeps of a model that has gone is there for the next one.
        kept = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        return int(torch.cuda.mem_get_info()[0]) + kept
    if torch.backends.mps.is_available():
        return int(torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory())
    return None


def fitted_dtype(dtype: Choice, wanted: str, n_bytes: int, free: int | None) -> Choice:
    """int8 instead of a `dtype` that nobody `wanted`, on a CUDA device without room for what it needs, `n_bytes`."""
    if wanted != "auto" or dtype.value not in ("bf16", "fp16") or free is None or n_bytes <= free:
        return dtype
    return Choice("int8", f"in {dtype.value} it takes {n_bytes / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free")


def require_gpu_room(n_bytes: int, free: int | None) -> None:
    """Raises `ConfigError` when weights and caches of `n_bytes` do not fit into the `free` bytes of a GPU."""
    if free is not None and n_bytes > free:
        raise ConfigError(
            f"The model needs {n_bytes / 1e9:.1f} GB of GPU memory, and {free / 1e9:.1f} GB are free.",
            "Choose a smaller model, close what else uses the GPU, or set device.name to cpu.",
        )


def choose_threads(wanted: int) -> Choice:
    """`wanted` 0 takes one thread per physical core, at most 8: decoding is bound by memory, not by arithmetic."""
    if wanted > 0:
        return Choice(str(wanted), "device.threads asks for it")
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Choice(str(max(1, min(8, available, torch.get_num_threads()))), "one per core, at most 8")
