"""Runs generated programs: each in a process of its own, with limits, in an empty folder and without network.

A program from a small model is seldom malicious and often wrong; this keeps wrong ones from harm.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile

CPU_SECONDS, WALL_SECONDS, MEMORY_BYTES = 10, 20, 2**30
PASSED = 42
"""The exit code of a program that came to its end; one that left early has another."""

_REFUSED = {"ctypes", "os", "pty", "resource", "shutil", "signal", "socket", "sqlite3", "subprocess", "tempfile"}
"""Packages whose audit events are refused: https://docs.python.org/3/library/audit_events.html."""

# The child limits itself before it runs a line of the program.  A network namespace of its own has no way out; where a
# system allows none, Python's sockets are refused all the same, as are new processes, signals to others and new limits.
# Of what `os` does to files, only looking is allowed; a file is opened for reading alone.
_CHILD = f"""
import os, sys
source = sys.stdin.read()
try:
    import resource
    for name, most in (("CPU", {CPU_SECONDS}), ("AS", {MEMORY_BYTES}), ("FSIZE", 0), ("NPROC", 0), ("CORE", 0)):
        resource.setrlimit(getattr(resource, "RLIMIT_" + name), (most, most))
except (ImportError, AttributeError, ValueError, OSError):
    pass
try:
    import ctypes
    ctypes.CDLL(None, use_errno=True).unshare(0x50000000)
except (ImportError, AttributeError, OSError, TypeError):
    pass
harmless = {{"os.listdir", "os.scandir", "os.walk", "os.fwalk", "os.chdir", "os.putenv", "os.unsetenv"}}
writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
def refuse(event, arguments):
    package = event.partition(".")[0]
    is_write = event == "open" and arguments[2] & writing
    if is_write or (package in {_REFUSED} and event not in harmless):
        raise PermissionError(event)
sys.addaudithook(refuse)
sys.stdin.close()
exec(compile(source, "program", "exec"), {{"__name__": "__main__"}})
raise SystemExit({PASSED})
"""


def passes(program: str) -> bool:
    """Whether `program` comes to its end without an error."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            result = subprocess.run(
                [sys.executable, "-I", "-S", "-c", _CHILD],
                input=program.encode("utf-8", "replace"),
                cwd=folder,
                env={},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=WALL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
    return result.returncode == PASSED
