"""Measures T(n), the time to verify n tokens, on the machine at hand.  The drafter's cost model is built on it."""

from __future__ import annotations

import hashlib
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path

import numba
import torch

from rest_lsp.cancellation import CancelToken
from rest_lsp.drafting.cost_model import StepCost
from rest_lsp.drafting.tree import ROOT, DraftTree
from rest_lsp.engine.engine import GREEDY, MAX_TREE, Engine
from rest_lsp.engine.sampling import pick


def digest_of(folder: Path) -> str:
    """Of the sources in a folder."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(folder.glob("*.py")))).hexdigest()[:8]


KERNELS = digest_of(Path(__file__).parent / "kernels")
"""As they were when this process began: other kernels have other costs."""

TOKENS = (1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, MAX_TREE + 1)
CONTEXTS = (64, 640)
ROUNDS = 5
SLOWEST_WORTH_MEASURING = 4.0
"""A pass that costs this many plain ones is hardly ever chosen; larger ones are taken to go on in proportion."""

LIMIT_S = 4.0
"""For each context.  A machine that is busy with something else measures little, and finds out little."""

_LOOK, _LOOK_CONTEXT, _LOOK_ROUNDS = (1, 2, 4, 9), CONTEXTS[0], 3
"""A short look: at which sizes, behind how many tokens, how often."""

_CLEARLY = 0.9
"""Of what is known: from one minute to the next the speed of a machine's memory changes by less."""

ALWAYS_MEASURED = 5
"""Passes of up to so many tokens are measured however long they take: without them no draft would ever look cheap."""


def measure_step_cost(
    engine: Engine, *, contexts: Sequence[int] = CONTEXTS, tokens: Sequence[int] = TOKENS, limit_s: float = LIMIT_S
) -> StepCost:
    """The quickest of some passes for each size and context; empties the KV cache.  Some seconds on a CPU.

    What disturbs a pass only ever makes it slower, so the quickest says most about the machine.  Sizes take turns.
    """
    measured = {}
    largest = engine.capacity - max(tokens)
    for context in {max(1, min(context, largest)) for context in contexts}:
        engine.forget()
        engine.verifier.prefill([_token(engine, i) for i in range(context)], CancelToken())
        measured[context] = _measure(engine, tokens, limit_s)
    engine.forget()
    return StepCost(measured)


def is_quicker_than(engine: Engine, known: StepCost) -> bool:
    """Whether small passes take clearly less than is `known`, because something disturbed that measurement.

    Half a second on a CPU; empties the KV cache.  On a machine that is busy now, nothing is found out.
    """
    context = min(_LOOK_CONTEXT, engine.capacity - max(_LOOK))
    engine.forget()
    engine.verifier.prefill([_token(engine, i) for i in range(context)], CancelToken())
    _prepare(engine)
    sizes = [n for n in _LOOK if n <= known.max_tokens]
    quickest = {n: min(time_pass(engine, n) for _ in range(_LOOK_ROUNDS)) for n in sizes}
    engine.forget()
    return any(ms < _CLEARLY * known.ms(n, context) for n, ms in quickest.items())


def quickest_of(measured: StepCost, known: StepCost) -> StepCost:
    """The points of `measured`, or less where it is `known` that they take less."""
    points = {
        context: [(n, min(ms, known.ms(n, context)) if n <= known.max_tokens else ms) for n, ms in of_context]
        for context, of_context in measured.measured.items()
    }
    return StepCost(points)


def machine_key() -> str:
    """What the costs depend on besides the model: kind of processor, cores, the kernels and who compiles them."""
    capability = torch.backends.cpu.get_cpu_capability()
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    compilers = f"torch{torch.__version__}-numba{numba.__version__}"
    return f"{platform.machine()}-{capability}-{os.cpu_count()}-{gpu}-{compilers}-{KERNELS}"


def chain(tokens: Sequence[int]) -> DraftTree:
    """A tree of one path; what it guesses makes no difference to its cost."""
    n = len(tokens)
    return DraftTree(tokens, range(ROOT, n - 1), range(1, n + 1), [1.0] * n, [None] * n, ["chain"] * n)


def time_pass(engine: Engine, n: int) -> float:
    """Milliseconds of one forward pass over `n` tokens, picking included."""
    tree = chain([_token(engine, i) for i in range(n - 1)])
    start = time.perf_counter()
    pick(engine.verifier.verify(_token(engine, n), tree)[0], 0, GREEDY, None)
    return 1e3 * (time.perf_counter() - start)


def _measure(engine: Engine, tokens: Sequence[int], limit_s: float) -> list[tuple[int, float]]:
    _prepare(engine)
    deadline = time.monotonic() + limit_s
    times = {1: time_pass(engine, 1)}
    for n in tokens[1:]:
        enough = time.monotonic() > deadline or max(times.values()) > SLOWEST_WORTH_MEASURING * times[1]
        if n > ALWAYS_MEASURED and enough:
            break
        times[n] = time_pass(engine, n)
    for _ in range(ROUNDS - 1):
        for n, quickest in times.items():
            if time.monotonic() <= deadline:
                times[n] = min(quickest, time_pass(engine, n))
    return _continued(sorted(times.items()), max(tokens))


def _prepare(engine: Engine) -> None:
    """First passes compile, record graphs and read weights from a disk, which is no part of what a pass costs."""
    for n in (*engine.verifier.model.slow_at_first, 1):
        time_pass(engine, n)


def _continued(points: list[tuple[int, float]], last: int) -> list[tuple[int, float]]:
    n, ms = points[-1]
    return points if n == last else [*points, (last, ms * last / n)]


def _token(engine: Engine, index: int) -> int:
    return (7919 * (index + 1)) % min(engine.config.vocab_size, 32000)
