"""Where the time of a worker's thread goes: into answers, into work that was given up, into work ahead of time."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

_KEPT = 1000


class Usage:
    """Sums since the start.  Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers_s = self._given_up_s = self._ahead_s = 0.0
        self._lingered_s: deque[float] = deque(maxlen=_KEPT)
        self._n_given_up = 0

    def job_ended(self, ran_s: float, lingered_s: float | None, *, is_quiet: bool) -> None:
        """A job ran so long, and `lingered_s` of that after it was given up (None when it was not)."""
        with self._lock:
            if is_quiet:
                self._ahead_s += ran_s
            elif lingered_s is None:
                self._answers_s += ran_s
            else:
                self._given_up_s += ran_s
            if lingered_s is not None:
                self._n_given_up += 1
                self._lingered_s.append(lingered_s)

    def summary(self) -> dict[str, Any]:
        """Milliseconds; `lingered` is from giving a job up until the thread was free."""
        with self._lock:
            lingered = sorted(self._lingered_s)
            return {
                "answers_ms": round(1e3 * self._answers_s, 1),
                "given_up_ms": round(1e3 * self._given_up_s, 1),
                "ahead_ms": round(1e3 * self._ahead_s, 1),
                "given_up": self._n_given_up,
                "lingered_p50_ms": round(1e3 * lingered[len(lingered) // 2], 1) if lingered else None,
                "lingered_p99_ms": round(1e3 * lingered[99 * len(lingered) // 100], 1) if lingered else None,
            }
