"""How much memory the machine has left, how much this process holds, and how much disk a folder takes."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_STATM = Path("/proc/self/statm")


def available_memory() -> int | None:
    """Bytes that can be used without swapping; None where the system does not say."""
    try:
        lines = _MEMINFO.read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        pass
    if sys.platform == "win32":
        return None
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def resident_memory() -> int | None:
    """Bytes of this process that are in memory, mapped files included; None where the system does not say."""
    if sys.platform == "win32":
        return None
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def folder_bytes(directory: Path) -> int:
    """Bytes of the files in a folder and below; files and folders that come and go meanwhile may or may not count."""
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(folder, name).lstat().st_size
    return total
