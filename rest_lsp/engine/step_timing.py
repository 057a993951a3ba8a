"""Measures T(n), the time to verify n tokens, on the machine at hand.  The drafter's cost model is built on it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median

from rest_lsp.cancellation import CancelToken
from rest_lsp.drafting.cost_model import StepCost
from rest_lsp.drafting.tree import ROOT, DraftTree
from rest_lsp.engine.engine import MAX_TREE, Engine

TOKENS = (1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65)
CONTEXTS = (128, 1024)
SLOWEST_WORTH_MEASURING = 6.0
"""A pass that costs this many plain ones is never chosen; what is larger is not measured but continued in a line."""


def measure_step_cost(
    engine: Engine, *, contexts: Sequence[int] = CONTEXTS, tokens: Sequence[int] = TOKENS, rounds: int = 5
) -> StepCost:
    """Medians of `rounds` passes for each size and context; empties the KV cache.  Some seconds on a CPU.

    Sizes take turns, so that a slow moment of the machine does not bend the curve at one of them.
    """
    measured = {}
    for context in contexts:
        engine.forget()
        engine.verifier.prefill([_token(engine, i) for i in range(context)], CancelToken())
        measured[context] = _measure(engine, tokens, rounds)
    engine.forget()
    return StepCost(measured)


def chain(tokens: Sequence[int]) -> DraftTree:
    """A tree of one path; what it guesses makes no difference to its cost."""
    n = len(tokens)
    return DraftTree(tokens, range(ROOT, n - 1), range(1, n + 1), [1.0] * n, [None] * n, ["chain"] * n)


def time_pass(engine: Engine, n: int) -> float:
    """Milliseconds of one forward pass over `n` tokens, picking included."""
    tree = chain([_token(engine, i) for i in range(n - 1)])
    start = time.perf_counter()
    engine.verifier.verify(_token(engine, n), tree)[0].argmax().item()
    return 1e3 * (time.perf_counter() - start)


def _measure(engine: Engine, tokens: Sequence[int], rounds: int) -> list[tuple[int, float]]:
    time_pass(engine, 1)
    plain = median(time_pass(engine, 1) for _ in range(3))
    sizes = [n for n in tokens if n == 1 or time_pass(engine, n) <= SLOWEST_WORTH_MEASURING * plain]
    times: dict[int, list[float]] = {n: [] for n in sizes}
    for _ in range(rounds):
        for n in sizes:
            times[n].append(time_pass(engine, n))
    points = [(n, median(times[n])) for n in sizes]
    return _continued(points, max(tokens))


def _continued(points: list[tuple[int, float]], last: int) -> list[tuple[int, float]]:
    n, ms = points[-1]
    if n >= last or n == 1:
        return points if n >= last else [*points, (last, last * ms)]
    return [*points, (last, ms * last / n)]


def _token(engine: Engine, index: int) -> int:
    return (7919 * (index + 1)) % min(engine.config.vocab_size, 32000)


assert max(TOKENS) == MAX_TREE + 1
