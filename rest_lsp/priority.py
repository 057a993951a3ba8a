"""Giving way to what somebody waits for.  Imports nothing heavy."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_AUTOGROUP = Path("/proc/self/autogroup")


def give_way(niceness: int) -> None:
    """Let this process, and those that it will start, have the processor when others leave some of it.

    Linux shares the processor between sessions first (sched(7), autogroup), and niceness counts only within one: beside
    an editor or a build, which run in other sessions, a niced process of ours would still get half of it.  So it takes
    a session of its own, which is niced as well.  Where something is refused or unknown, the rest is done.
    """
    if hasattr(os, "setsid"):
        with contextlib.suppress(PermissionError):
            os.setsid()
    if hasattr(os, "nice"):
        os.nice(niceness)
    with contextlib.suppress(OSError):
        _AUTOGROUP.write_text(str(niceness), encoding="ascii")
