"""How fast somebody types, and whether it is worth waiting for the next key before the model is asked.  Pure."""

from __future__ import annotations

from collections import deque

LONGEST_S = 0.075
"""Nobody notices a pause of this length, and most keys of a burst come within it."""
_PAUSE_S = 1.0
_KEPT = 16
_FEW = 4


class Rhythm:
    """Learns from the times of keys.  Seconds of any clock that only goes forward."""

    def __init__(self) -> None:
        self._gaps: deque[float] = deque(maxlen=_KEPT)
        self._last_s: float | None = None

    def key(self, now_s: float) -> None:
        """Something was typed.  A pause says nothing about how fast somebody types."""
        if self._last_s is not None and 0 <= now_s - self._last_s <= _PAUSE_S:
            self._gaps.append(now_s - self._last_s)
        self._last_s = now_s

    def wait_s(self, now_s: float) -> float:
        """How long the model should not be asked yet, since the next key will probably come before.

        Waiting pays when most keys come within the longest wait: then four of five of those are waited for.  Where
        keys come more slowly, waiting would only make the answer late.
        """
        soon = sorted(gap for gap in self._gaps if gap <= LONGEST_S)
        if self._last_s is None or len(self._gaps) < _FEW or 2 * len(soon) < len(self._gaps):
            return 0.0
        usual_s = soon[min(len(soon) - 1, 4 * len(soon) // 5)]
        return max(0.0, min(LONGEST_S, 1.1 * usual_s) - (now_s - self._last_s))
