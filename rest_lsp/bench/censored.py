"""Percentiles of times of which some are known only to be at least so long, by Kaplan and Meier (JASA 53, 1958).

A wait that somebody cut short counts among those that last longer, as long as it was watched, and not as a short one.
That is right where who cuts it short knows nothing of how long it would have lasted: keys come when they come.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_QUANTILES = (0.5, 0.95)


@dataclass(frozen=True)
class CensoredTimes:
    """Of `n` times `n_cut` were cut short.  Percentiles are None where too few were watched for that long."""

    n: int
    n_cut: int
    p50: float | None = None
    p95: float | None = None

    @classmethod
    def of(cls, ended: Iterable[float], cut: Iterable[float]) -> CensoredTimes:
        """From times that are known, and from those until which nothing had come."""
        known, at_least = list(ended), list(cut)
        # Of equal times, what was cut short had not ended yet.
        watched = sorted([(time, 0) for time in known] + [(time, 1) for time in at_least])
        found: dict[float, float] = {}
        left, n_watched = 1.0, len(watched)
        for time, is_cut in watched:
            if not is_cut:
                left *= 1 - 1 / n_watched
                reached = [quantile for quantile in _QUANTILES if quantile not in found and left <= 1 - quantile + 1e-9]
                found.update(dict.fromkeys(reached, round(time, 1)))
            n_watched -= 1
        return cls(len(watched), len(at_least), found.get(0.5), found.get(0.95))
