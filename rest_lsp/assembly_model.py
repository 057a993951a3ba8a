"""What `model.name = "auto"` means here: by the memory of the device, and by the measured speed of the CPU."""

from __future__ import annotations

from dataclasses import dataclass

from rest_lsp.config import Settings
from rest_lsp.engine.choice import Choice, free_gpu_bytes
from rest_lsp.memory import available_memory
from rest_lsp.models.catalogue import load_catalogue
from rest_lsp.workspace import CPU_MODEL, GPU_MODEL, keep_automatic_model, model_store

FAST_PASS_MS = 8.0
"""The larger model reads three times as much per token: from here on it writes 40 tokens a second, as a usual laptop
does with the smaller one."""

BESIDE_WEIGHTS = 600_000_000
"""Memory for caches, buffers and libraries."""

_PER_FILE_BYTE = {"cpu": 2.0, "cuda": 3.0, "mps": 3.0}
"""Memory for each byte of the quantised file: int8 with what goes along on a CPU, 16 bits per weight on a GPU."""


@dataclass(frozen=True)
class Facts:
    """What is known of the device.

    free_bytes   memory that nobody uses; None where the system does not say
    pass_ms      one token through the smaller model on this CPU, as it was measured; None before the first start
    is_here      whether the larger model is on this machine
    """

    device: str
    free_bytes: int | None
    pass_ms: float | None
    is_here: bool


def automatic_model(facts: Facts) -> Choice:
    """Pure.  On a CPU a gigabyte is never downloaded of its own accord."""
    needed = bytes_when_loaded(load_catalogue()[GPU_MODEL].bytes, facts.device)
    has_room = facts.free_bytes is None or facts.free_bytes >= needed
    room = f"it takes {needed / 1e9:.1f} GB, and {(facts.free_bytes or 0) / 1e9:.1f} GB are free"
    if facts.device != "cpu":
        return Choice(GPU_MODEL, "a GPU has room for it") if has_room else Choice(CPU_MODEL, f"for the larger, {room}")
    if facts.pass_ms is None or facts.pass_ms > FAST_PASS_MS:
        speed = "has not been measured" if facts.pass_ms is None else f"takes {facts.pass_ms:.1f} ms per token"
        return Choice(CPU_MODEL, f"this CPU {speed}; the larger would take three times as long")
    if not has_room:
        return Choice(CPU_MODEL, f"for the larger, {room}")
    if not facts.is_here:
        return Choice(CPU_MODEL, f"this CPU is fast enough for {GPU_MODEL}, which `rest-lsp models pull` can fetch")
    return Choice(GPU_MODEL, f"this CPU takes {facts.pass_ms:.1f} ms per token of the smaller one")


def bytes_when_loaded(n_file_bytes: int, device: str) -> int:
    """Memory that a model takes on a device, from the size of its quantised file."""
    return int(_PER_FILE_BYTE[device] * n_file_bytes) + BESIDE_WEIGHTS


def choose_model(settings: Settings, device: str, pass_ms: float | None) -> Choice:
    """The model to load.  What is chosen is remembered for commands that do not look at the device."""
    if settings.model.name != "auto":
        return Choice(settings.model.name, "model.name asks for it")
    free = free_gpu_bytes() if device == "cuda" else available_memory()
    is_here = model_store(settings).path(GPU_MODEL) is not None
    chosen = automatic_model(Facts(device, free, pass_ms, is_here))
    keep_automatic_model(settings, device, chosen.value)
    return chosen
