"""The number of nodes that the costs allow."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rest_lsp.drafting.cost_model import StepCost
from rest_lsp.drafting.running_cost import RunningCost
from rest_lsp.drafting.tree import DraftTree

MARGIN = 1.03
"""A tree must promise at least this much over plain decoding: a promise is an estimate, its cost is certain."""


class MeasuredBudget:
    """Takes the n that maximises expected tokens per millisecond (as Sequoia, arXiv 2402.12374)."""

    def __init__(self, cost: StepCost, *, max_nodes: int, seen: Sequence[float] = ()) -> None:
        self._max_nodes = min(max_nodes, cost.max_tokens - 1)
        self._cost = RunningCost(cost, seen)
        self.measured = cost
        self._least: dict[int, float] = {}
        self._observed = 0

    @property
    def seen(self) -> Sequence[float]:
        """The corrections of `RunningCost`; none before there were passes enough to trust them."""
        return self._cost.seen if self._cost.n_seen >= _TELLING else ()

    def max_nodes(self) -> int:
        return self._max_nodes

    def min_probability(self, past: int) -> float:
        """Even the cheapest further token must bring in what it costs, at the rate of plain decoding at least."""
        bucket = past // _BUCKET
        if bucket not in self._least:
            base = self._cost.base(past)
            costs = [ms * factor for ms, factor in zip(base, self._cost.factors, strict=False)][1 : self._max_nodes + 2]
            self._least[bucket] = max(0.0, min((b - a for a, b in pairwise(costs)), default=0.0) / costs[0])
        return self._least[bucket]

    def price(self, past: int) -> float:
        base, several = self._cost.base(past), min(_SEVERAL, self._max_nodes)
        return (base[1 + several] / base[1] - 1.0) / several if several else 0.0

    def cut(self, tree: DraftTree, past: int) -> DraftTree:
        base, factors = self._cost.base(past), self._cost.factors
        best, best_rate, expected = 0, MARGIN / base[1], 1.0
        for n, probability in enumerate(tree.path_probability[: self._max_nodes], start=1):
            expected += probability
            rate = expected / (base[1 + n] * factors[1 + n])
            if rate > best_rate:
                best, best_rate = n, rate
        return tree.cut(best)

    def observe(self, n: int, past: int, ms: float) -> None:
        self._cost.observe(n, past, ms)
        self._observed += 1
        if self._observed % _REFRESHED_EVERY == 0:
            self._least.clear()


_SEVERAL = 8
"""Nodes among which there is room for guesses that are seldom right."""

_BUCKET = 32
_TELLING = 200
"""Passes in which a factor moves far enough, by a hundredth a pass, to be told from chance."""

_REFRESHED_EVERY = 32
"""Passes; the least probability only saves work, so it need not be of this moment."""
