"""Processes that pause while somebody waits for this one.  Imports nothing heavy."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator

LONGEST_PAUSE_S = 1
"""A process that pauses goes on after so long by itself, so that none is left behind when who paused it has died."""

_MONOTONIC = 1


class Background:
    """Process groups, each known by its leader.  Thread-safe.

    To give way (`priority`) is not enough: whoever wakes up waits for the end of a time slice, and both read memory.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._leaders: set[int] = set()
        self._n_waiting = 0

    def add(self, leader: int) -> None:
        """Its processes have called `go_on_by_itself`."""
        with self._lock:
            self._leaders.add(leader)

    def remove(self, leader: int) -> None:
        with self._lock:
            if leader in self._leaders:
                self._leaders.remove(leader)
                _signal_group(leader, is_pause=False)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """While any thread is within it, and each time for `LONGEST_PAUSE_S` at most."""
        with self._lock:
            self._n_waiting += 1
            if self._n_waiting == 1:
                self._tell(is_pause=True)
        try:
            yield
        finally:
            with self._lock:
                self._n_waiting -= 1
                if not self._n_waiting:
                    self._tell(is_pause=False)

    def _tell(self, *, is_pause: bool) -> None:
        for leader in self._leaders:
            _signal_group(leader, is_pause=is_pause)


BACKGROUND = Background()
"""Whatever works for this process behind somebody's back."""


def _signal_group(leader: int, *, is_pause: bool) -> None:
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGSTOP if is_pause else signal.SIGCONT)


class _SignalEvent(ctypes.Structure):
    """`struct sigevent` of Linux, 64 bytes."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("_padding", ctypes.c_char * 48),
    )


class _Interval(ctypes.Structure):
    """`struct itimerspec`: seconds and nanoseconds of the period and until the first time."""

    _fields_ = tuple((name, ctypes.c_long) for name in ("every_s", "every_ns", "first_s", "first_ns"))


def go_on_by_itself() -> bool:
    """Have the system end each pause of this process; False where it has no timer for that.

    To be called on the main thread.  A timer of timer_create(2) runs while its process stands still, and its signal
    lets the process go on; but Linux stops timers whose signal a process ignores, as this one's is without a handler.
    """
    if sys.platform != "linux":
        return False
    try:
        library = ctypes.CDLL(None)
        create, start = library.timer_create, library.timer_settime
    except (OSError, AttributeError):
        return False
    signal.signal(signal.SIGCONT, lambda _number, _frame: None)
    timer, event = ctypes.c_void_p(), _SignalEvent(signal=signal.SIGCONT)
    period = _Interval(every_s=LONGEST_PAUSE_S, first_s=LONGEST_PAUSE_S)
    is_there = create(_MONOTONIC, ctypes.byref(event), ctypes.byref(timer)) == 0
    return bool(is_there and start(timer, 0, ctypes.byref(period), None) == 0)
