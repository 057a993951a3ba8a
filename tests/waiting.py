"""Waiting for what another thread or process does: polling with a deadline, for when it gives no event."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

STEP_S = 0.01


def wait_until(condition: Callable[[], object], what: str | Callable[[], str], seconds: float = 60.0) -> None:
    """Poll until `condition` holds.  `what` names it; a function is asked for words when the deadline has passed."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, what() if callable(what) else f"{what}: not within {seconds} s"
        pause.wait(STEP_S)


def await_pause(pid: int, *, is_over: bool = False) -> None:
    """Until this child has been stopped; `is_over`, until it has gone on, too.

    The system keeps either for its parent, so that a pause that ended by itself between two looks is seen, too.
    """
    wanted = os.WCONTINUED if is_over else os.WSTOPPED | os.WCONTINUED
    wait_until(lambda: os.waitid(os.P_PID, pid, wanted | os.WNOHANG), "the child to go on" if is_over else "a pause")
