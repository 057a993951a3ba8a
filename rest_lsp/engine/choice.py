"""Which device, number format and kernel to use on this machine, each with its reason."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from typing import Literal

import torch

from rest_lsp.engine.int8 import kernel_sums_are_exact
from rest_lsp.errors import ConfigError
from rest_lsp.models.packed import WeightForm

Dtype = Literal["int8", "fp32", "bf16", "fp16"]
DTYPES: dict[Dtype, torch.dtype] = {
    "int8": torch.float32,
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}
"""The type of activations for each weight format."""


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
    """`wanted` is auto or a `Dtype`.  Raises `ConfigError` for a format that the device cannot run."""
    allowed = ("int8", "fp32", "bf16") if device == "cpu" else ("bf16", "fp16", "fp32")
    if wanted != "auto":
        if wanted not in allowed:
            raise ConfigError(f"device.dtype {wanted} cannot run on {device}.", f"Use auto or {', '.join(allowed)}.")
        return Choice(wanted, "device.dtype asks for it")
    if device == "cpu":
        return Choice("int8", "a CPU is bound by memory bandwidth, and int8 reads least")
    if device == "cuda" and torch.cuda.is_bf16_supported():
        return Choice("bf16", "the GPU computes in bf16")
    return Choice("fp16", "the GPU has no bf16")


def choose_form(dtype: str) -> WeightForm:
    """The packed form to load.  A CPU whose int8 kernel saturates gets 7-bit weights, found out by testing it.

    Raises `ConfigError` when even those do not add exactly.
    """
    if dtype == "int8":
        select_int8_engine()
        if kernel_sums_are_exact(limit=127):
            return "int8"
        if kernel_sums_are_exact(limit=63):
            return "int7"
        raise ConfigError("The int8 kernel of this CPU does not add exactly.", "Set device.dtype to bf16 or fp32.")
    return "fp32" if dtype == "fp32" else "bf16"


def select_int8_engine() -> None:
    """One int8 library per machine: two of them differ in the last bit, and mixing them would break exactness."""
    supported = torch.backends.quantized.supported_engines
    arm = platform.machine().lower() in ("arm64", "aarch64")
    wanted = "qnnpack" if arm and "fbgemm" not in supported else "fbgemm"
    if wanted not in supported:
        raise ConfigError(f"torch has no int8 kernel on {platform.machine()}.", "Set device.dtype to bf16 or fp32.")
    torch.backends.quantized.engine = wanted


def choose_threads(wanted: int) -> Choice:
    """`wanted` 0 takes one thread per physical core, at most 8: decoding is bound by memory, not by arithmetic."""
    if wanted > 0:
        return Choice(str(wanted), "device.threads asks for it")
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Choice(str(max(1, min(8, available, torch.get_num_threads()))), "one per core, at most 8")
