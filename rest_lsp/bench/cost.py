"""The cost curve T(n): how long one forward pass takes that verifies n draft tokens.  Knows no drafts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median

from rest_lsp.bench.results import CostPoint
from rest_lsp.cancellation import CancelToken
from rest_lsp.drafting.tree import ROOT, DraftTree
from rest_lsp.engine.engine import Engine

NODES = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


def measure_cost(
    engine: Engine, context: Sequence[int], *, nodes: Sequence[int] = NODES, passes: int = 5
) -> list[CostPoint]:
    """Medians over `passes` rounds through all sizes, after `context` was prefilled; empties the KV cache behind it.

    Sizes take turns, so that a slow moment of the machine does not bend the curve at one of them.
    """
    engine.forget()
    engine.verifier.prefill(context, CancelToken())
    times: dict[int, list[float]] = {n: [] for n in nodes}
    for _ in range(passes + 1):
        for n in nodes:
            begin = time.perf_counter()
            engine.verifier.verify(context[-1], chain(context, n)).argmax().item()
            times[n].append(1e3 * (time.perf_counter() - begin))
    engine.forget()
    return [CostPoint(n, median(times[n][1:])) for n in nodes]


def chain(tokens: Sequence[int], n: int) -> DraftTree:
    """A tree of one path with `n` nodes; what it guesses makes no difference to its cost."""
    return DraftTree(
        tokens=[tokens[index % len(tokens)] for index in range(n)],
        parents=[ROOT + index for index in range(n)],
        depths=list(range(1, n + 1)),
        path_probability=[1.0] * n,
        origins=[None] * n,
        sources=["chain"] * n,
    )
