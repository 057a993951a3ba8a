"""The check of the GPU: what is there, by which driver, and whether torch can compute on it."""

from __future__ import annotations

import shutil
import subprocess
from importlib.metadata import version

from rest_lsp.doctor_machine import Check

_GPU_LIST = ("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
_LIST_S = 10.0


def check_gpu() -> Check:
    """Imports torch."""
    from rest_lsp.engine.gpu import cuda_of_torch, trouble_on, usable_gpu

    listed, gpu = nvidia_gpus(), usable_gpu()
    if gpu is None:
        return _without(listed, cuda_of_torch())
    name = next((text for text in listed if text.startswith(gpu.name)), gpu.name)
    text = f"{name}, {gpu.about}"
    if trouble := trouble_on(gpu.device):
        return Check("gpu", "fail", f"{text}; {trouble}.", "Update driver and torch, or set device.name to cpu.")
    return Check("gpu", "ok", f"{text}; it computes rightly.")


def nvidia_gpus() -> list[str]:
    """Names and driver versions, from the driver's own tool; empty where that is not there."""
    if shutil.which(_GPU_LIST[0]) is None:
        return []
    try:
        answer = subprocess.run(_GPU_LIST, capture_output=True, text=True, timeout=_LIST_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [line.partition(", ") for line in answer.stdout.splitlines() if line.strip()]
    return [f"{name} with driver {driver}" for name, _, driver in rows]


def _without(listed: list[str], cuda: str | None) -> Check:
    """What it means that torch can use no GPU."""
    if not listed:
        return Check("gpu", "ok", "None was found; the processor does the work.")
    found = "; ".join(listed)
    if cuda is None:
        fix = "Install a build of torch with CUDA, as https://pytorch.org/get-started shows."
        return Check("gpu", "warn", f"{found} is here, but torch {version('torch')} is built without CUDA.", fix)
    fix = "Update the driver, or install a build of torch for an older CUDA."
    return Check("gpu", "warn", f"{found} is here, but the driver is too old for torch, which needs CUDA {cuda}.", fix)
