"""How far the promises of drafts held in this request: drafts that keep failing cool down, within a few passes.

Some text is simply new, and what looks like a long match there is chance.  The fitted confidence cannot know; this can.
"""

from __future__ import annotations

import math

_FADING = 0.9
_PATIENCE = 1.5
"""Tokens that may be missed before trust is lost to speak of."""

_STRENGTH = 1.5
_LEAST, _MOST = -3.0, 0.6


class Trust:
    """Compares what trees promised with what was accepted, the last passes first."""

    def __init__(self) -> None:
        self._promised = self._kept = 0.0

    def observe(self, promised: float, kept: int) -> None:
        """A tree promised so many tokens (the sum of its path probabilities), and so many were accepted."""
        self._promised = _FADING * self._promised + promised
        self._kept = _FADING * self._kept + kept

    @property
    def log_odds(self) -> float:
        """To be added to the confidence in every guess."""
        ratio = (self._kept + _PATIENCE) / (self._promised + _PATIENCE)
        return max(_LEAST, min(_MOST, _STRENGTH * math.log(ratio)))
