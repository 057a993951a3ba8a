"""T(n) as it is now: what was measured once, corrected by the passes that really take place.

Running quantiles that move by a bounded step per pass, whatever it took (frugal streaming, arXiv 1407.1121): a pass
that something disturbed is never taken for the cost.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from rest_lsp.drafting.cost_model import StepCost

SIZES = (1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49)
"""Passes are told apart by the largest of these that they reach."""

QUANTILE = 0.4
"""A little below the median: what disturbs a pass only ever makes it slower."""

PACE_STEP, SIZE_STEP = 0.02, 0.01
DISTURBED = 3.0
"""A pass that takes so many times what was expected says nothing."""

FURTHEST = 2.0
_BUCKET = 32
"""Contexts that differ by less cost the same."""


class RunningCost:
    """What each size of pass costs against the others.  One thread.

    The machine's pace, which all sizes share, is told apart from them and left out of the answers: it decides nothing.
    """

    def __init__(self, measured: StepCost, seen: Sequence[float] = ()) -> None:
        """`seen` are the factors of an earlier session, by size."""
        self._measured = measured
        self._pace = 1.0
        self._factors = [_within(factor) for factor in seen] if len(seen) == len(SIZES) else [1.0] * len(SIZES)
        self._base: dict[int, Sequence[float]] = {}
        self.factors = [self._factors[_size_of(n)] for n in range(measured.max_tokens + 1)]
        """By number of tokens, beside `base`."""
        self.n_seen = 0
        """Passes that said something."""

    @property
    def seen(self) -> Sequence[float]:
        """By how much each of SIZES is dearer, against a pass over one token, than was measured."""
        return tuple(self._factors)

    @property
    def max_tokens(self) -> int:
        return self._measured.max_tokens

    def base(self, past: int) -> Sequence[float]:
        """T(n) behind `past` tokens as it was measured first, for every n; index 0 is unused."""
        bucket = past // _BUCKET
        if bucket not in self._base:
            self._base[bucket] = self._measured.curve(bucket * _BUCKET)
        return self._base[bucket]

    def observe(self, n: int, past: int, ms: float) -> None:
        """A pass over `n` tokens behind `past` others took so long."""
        if n > self.max_tokens:
            return
        size = _size_of(n)
        expected = self._pace * self._factors[size] * self.base(past)[n]
        if ms > DISTURBED * expected:
            return
        self.n_seen += 1
        direction = QUANTILE if ms > expected else QUANTILE - 1.0
        self._pace *= 1.0 + PACE_STEP * direction
        if size:
            self._factors[size] = _within(self._factors[size] * (1.0 + SIZE_STEP * direction))
            last = SIZES[size + 1] if size + 1 < len(SIZES) else len(self.factors)
            self.factors[SIZES[size] : last] = [self._factors[size]] * (min(last, len(self.factors)) - SIZES[size])


def _within(factor: float) -> float:
    return min(FURTHEST, max(1.0 / FURTHEST, factor))


def _size_of(n: int) -> int:
    return _SIZE_OF[n] if n < len(_SIZE_OF) else len(SIZES) - 1


_SIZE_OF = [max(0, bisect_right(SIZES, n) - 1) for n in range(SIZES[-1] + 1)]
