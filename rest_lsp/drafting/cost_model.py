"""How many tokens to verify in a pass: what they are likely to save against what they are measured to cost."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from rest_lsp.drafting.tree import DraftTree


class Budget(Protocol):
    """Limits the trees of one request."""

    def max_nodes(self) -> int:
        """More nodes than this are never verified."""
        ...

    def min_probability(self, past: int) -> float:
        """Nodes less likely than this are not worth finding."""
        ...

    def price(self, past: int) -> float:
        """What one of several further tokens costs on average, as a share of a pass over one."""
        ...

    def cut(self, tree: DraftTree, past: int) -> DraftTree:
        """The part of `tree` to verify behind `past` tokens; may be empty."""
        ...

    def observe(self, n: int, past: int, ms: float) -> None:
        """A pass over `n` tokens behind `past` others took so long."""
        ...


@dataclass(frozen=True)
class FixedBudget:
    """Always so many nodes, or all there are: for measurements."""

    nodes: int

    def max_nodes(self) -> int:
        return self.nodes

    def min_probability(self, past: int) -> float:
        return 0.0

    def price(self, past: int) -> float:
        return 0.0

    def cut(self, tree: DraftTree, past: int) -> DraftTree:
        return tree.cut(self.nodes)

    def observe(self, n: int, past: int, ms: float) -> None:
        pass


class StepCost:
    """T(n): milliseconds of a forward pass over n tokens, by context length; interpolated, never falling with n."""

    def __init__(self, measured: Mapping[int, Sequence[tuple[int, float]]]) -> None:
        """`measured` maps a context length to (tokens in the pass, ms) in ascending order of tokens, beginning at 1."""
        if not measured or any(not points or points[0][0] != 1 or points[0][1] <= 0 for points in measured.values()):
            raise ValueError("The cost of a pass over one token must be known.")
        self.measured = {
            context: tuple((int(n), float(ms)) for n, ms in measured[context]) for context in sorted(measured)
        }
        self._contexts = list(self.measured)
        self._curves = [_curve(points) for points in self.measured.values()]

    @property
    def max_tokens(self) -> int:
        return min(len(curve) for curve in self._curves) - 1

    def ms(self, n: int, past: int) -> float:
        """T(n) behind `past` tokens."""
        return self.curve(past)[n]

    def curve(self, past: int) -> Sequence[float]:
        """T(n) for every n; above the measured contexts it goes on in a line, below them it stays."""
        if past <= self._contexts[0] or len(self._contexts) == 1:
            return self._curves[0]
        at = min(bisect_left(self._contexts, past), len(self._contexts) - 1)
        low, high = self._contexts[at - 1], self._contexts[at]
        share = (past - low) / (high - low)
        return [a + max(0.0, b - a) * share for a, b in zip(self._curves[at - 1], self._curves[at], strict=False)]


def _curve(points: Sequence[tuple[int, float]]) -> list[float]:
    """Milliseconds by number of tokens, straight between the measured points; index 0 is unused."""
    curve = [points[0][1]]
    previous_n, previous_ms = 0, points[0][1]
    for n, measured_ms in points:
        ms = max(measured_ms, previous_ms)
        curve += [
            previous_ms + (ms - previous_ms) * (i - previous_n) / (n - previous_n) for i in range(previous_n + 1, n + 1)
        ]
        previous_n, previous_ms = n, ms
    return curve
