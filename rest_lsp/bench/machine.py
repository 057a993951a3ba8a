"""What a measurement ran on, as plain data: a figure without its machine means nothing."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

INSTRUCTION_SETS = (
    "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16",
    "asimd", "asimddp", "i8mm", "bf16", "sve",
)  # fmt: skip


@dataclass(frozen=True)
class Machine:
    """`cores` are those that this process may use; memory is in GiB."""

    cpu: str
    cores: int
    instruction_sets: list[str]
    memory_gib: float
    system: str
    python: str
    torch: str
    gpu: str | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def label(self) -> str:
        """One line for the caption of a plot."""
        return f"{self.gpu or self.cpu}, {self.cores} cores, torch {self.torch}"


def this_machine() -> Machine:
    """Never fails: what cannot be found out is left empty."""
    cpu_info = _cpu_info()
    flags = set((cpu_info.get("flags") or cpu_info.get("Features") or "").split())
    return Machine(
        cpu=cpu_info.get("model name") or _apple_cpu() or platform.processor() or platform.machine(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        instruction_sets=[name for name in INSTRUCTION_SETS if name in flags],
        memory_gib=_memory_gib(),
        system=platform.platform(),
        python=platform.python_version(),
        torch=torch.__version__,
        gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    )


def _cpu_info() -> dict[str, str]:
    """The first processor's block of /proc/cpuinfo; empty on other systems."""
    try:
        block = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in block.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _apple_cpu() -> str:
    if platform.system() != "Darwin":
        return ""
    command = ["sysctl", "-n", "machdep.cpu.brand_string"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _memory_gib() -> float:
    if sys.platform == "win32":
        return 0.0
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError):
        return 0.0
