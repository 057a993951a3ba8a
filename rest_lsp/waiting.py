"""How the threads of a matrix product wait for each other.  Must be called before torch is imported; imports nothing.

OpenMP threads spin for milliseconds by default.  On a machine that has anything else to do, an editor for one, the
spinning thread holds the core that the other one needs: with three busy neighbours on two cores a forward pass took
500 ms instead of 48.  A tenth of a millisecond of spinning bridges the gap between two operations just as well.
"""

from __future__ import annotations

import os

_POLITE = {"GOMP_SPINCOUNT": "10000", "KMP_BLOCKTIME": "0"}


def wait_politely() -> None:
    """Let waiting threads sleep soon.  What the user has set stays."""
    for name, value in _POLITE.items():
        os.environ.setdefault(name, value)


def wait_as_usual() -> None:
    """Undo it, for another program that is measured in a process of its own.  Before that program is loaded."""
    for name, value in _POLITE.items():
        if os.environ.get(name) == value:
            del os.environ[name]
