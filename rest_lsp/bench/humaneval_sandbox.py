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

# The child limits itself before it runs a line of the program.  A network namespace of its own has no way out; where a
# system allows none, Python's sockets are refused all the same, as are new processes.  Files cannot be written to.
_CHILD = f"""
import sys
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
def refuse(event, arguments):
    if event.startswith(("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "ctypes.")):
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
