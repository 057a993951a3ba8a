"""Whether another process lives, for those that depend on it.  Light: a front imports it."""

from __future__ import annotations

import os
import sys


def is_parent(process_id: int) -> bool:
    """Whether the process that has started this one, and had this number then, still lives.

    The number is 0 where the parent is outside of a container, so outside of Windows it is compared and no more.
    """
    # Windows goes on naming a parent that has ended.
    return os.getppid() == process_id and (sys.platform != "win32" or is_alive(process_id))


def is_alive(process_id: int) -> bool:
    """True also for a process of somebody else."""
    if process_id <= 0:
        return False
    if sys.platform == "win32":
        return _is_alive_on_windows(process_id)
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _is_alive_on_windows(process_id: int) -> bool:
    # os.kill would end the process there.
    import ctypes

    synchronize, inherit, timed_out = 0x00100000, 0, 0x00000102
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - exists on Windows only
    handle = kernel.OpenProcess(synchronize, inherit, process_id)
    if not handle:
        return False
    try:
        return bool(kernel.WaitForSingleObject(handle, 0) == timed_out)
    finally:
        kernel.CloseHandle(handle)
