"""Processes that pause while somebody waits for this one.  Imports nothing heavy."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

LONGEST_PAUSE_S = 1.0
REST_S = 0.25
"""A pause is that long at most, and so are several with less than this share of time between them: an index gets on
beside somebody who never stops asking."""

_OWN_GROUP = 0
_SET_SIGNAL_OF_PARENTS_DEATH = 1


class Background:
    """Process groups, each known by its leader.  Thread-safe.

    To give way (`priority`) is not enough: whoever wakes up waits for the end of a time slice, and both read memory.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._leaders: set[int] = set()
        self._n_waiting = 0
        self._limit: threading.Timer | None = None
        self._is_paused = False
        self._changed_s = 0.0
        self._owed_s = 0.0

    def add(self, leader: int) -> None:
        """Its processes have called `outlive_pauses`."""
        with self._lock:
            self._leaders.add(leader)

    def remove(self, leader: int) -> None:
        with self._lock:
            if leader in self._leaders:
                self._leaders.remove(leader)
                _signal_group(leader, is_pause=False)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """While any thread is within it, and for `LONGEST_PAUSE_S` at most."""
        with self._lock:
            self._n_waiting += 1
            if self._n_waiting == 1:
                self._pause()
        try:
            yield
        finally:
            with self._lock:
                self._n_waiting -= 1
                if not self._n_waiting:
                    if self._limit is not None:
                        self._limit.cancel()
                    self._go_on()

    def _pause(self) -> None:
        now_s = time.monotonic()
        self._owed_s = max(0.0, self._owed_s - (now_s - self._changed_s) * LONGEST_PAUSE_S / REST_S)
        self._changed_s = now_s
        left_s = LONGEST_PAUSE_S - self._owed_s
        if not self._leaders or left_s <= 0:
            return
        self._limit = threading.Timer(left_s, self._end)
        self._limit.daemon = True
        # Without a thread that would end it there is no pause.
        with contextlib.suppress(RuntimeError):
            self._limit.start()
            self._is_paused = True
            self._tell(is_pause=True)

    def _end(self) -> None:
        with self._lock:
            self._go_on()

    def _go_on(self) -> None:
        if self._is_paused:
            now_s = time.monotonic()
            self._owed_s += now_s - self._changed_s
            self._changed_s = now_s
            self._is_paused = False
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


def outlive_pauses() -> bool:
    """Have the system end a pause of this process when its parent has died; False where it cannot.

    The parent is, to Linux, the thread that started it; a thread that ends early ends at most one pause early.
    """
    if sys.platform != "linux":
        return False
    try:
        set_option = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return False
    return bool(set_option(_SET_SIGNAL_OF_PARENTS_DEATH, signal.SIGCONT) == 0)


def end_pause_of_group() -> None:
    """Whoever is paused with this process goes on, before it ends."""
    _signal_group(_OWN_GROUP, is_pause=False)
