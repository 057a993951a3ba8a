"""The decode benchmark: every hole completed plain and with drafts, in turns, in one process, and compared by token.

Knows how to be fair: both modes take the same way through the completion service and start with an empty KV cache;
which one goes first alternates.  Knows nothing about models or datastores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from rest_lsp.bench.holes import Hole
from rest_lsp.bench.results import Mode, Pair, Run, SourceLine, merge_repeats
from rest_lsp.completion.request import CompletionRequest, CompletionResult, Outcome, StopReason
from rest_lsp.errors import RestLspError

MODES: tuple[Mode, Mode] = ("plain", "rest")
ANSWERS = frozenset({Outcome.RETURNED, Outcome.EMPTY, Outcome.FILTERED})

Complete = Callable[[CompletionRequest], CompletionResult]
"""Completes once, as if nothing had been asked before: no KV cache, no history, no earlier answers."""


def measure(holes: Iterable[Hole], complete: Mapping[Mode, Complete], *, repeat: int = 1) -> Iterator[Pair]:
    """One pair per hole, as soon as it is measured."""
    for turn, hole in enumerate(holes):
        yield measure_hole(hole, complete, repeat=repeat, first=MODES[turn % 2])


def measure_hole(hole: Hole, complete: Mapping[Mode, Complete], *, repeat: int, first: Mode = "plain") -> Pair:
    """Both modes `repeat` times in turns, beginning with `first`; times are medians, tokens must always be the same."""
    request = hole.request
    runs: dict[Mode, list[Run]] = {mode: [] for mode in MODES}
    order: Sequence[Mode] = MODES if first == "plain" else MODES[::-1]
    for _ in range(repeat):
        for mode in order:
            runs[mode].append(run_of(hole, complete[mode](request)))
        order = order[::-1]
    expected = runs["plain"][0].tokens
    plain, rest = (merge_repeats(runs[mode], expected) for mode in MODES)
    return Pair(hole.case, plain, rest)


def run_of(hole: Hole, result: CompletionResult) -> Run:
    """What the report keeps of a completion.  Raises RestLspError when there was none, for whatever reason."""
    if result.outcome not in ANSWERS:
        raise RestLspError(
            f"Case {hole.case.id} was not completed: {result.outcome.value}.", "Leave it out of the file of cases."
        )
    return Run(
        tokens=result.token_ids,
        text=result.text,
        forwards=result.forwards,
        accepted=dict(result.accepted_by),
        drafted=result.drafted,
        prefill_ms=result.prefill_ms,
        decode_ms=result.decode_ms,
        retrieval_ms=result.retrieval_ms,
        draft_ms=result.draft_ms,
        learn_ms=result.learn_ms,
        stop=result.stop.value if result.stop else result.outcome.value,
        looped=result.stop is StopReason.LOOP,
        sources=[SourceLine(*source) for source in result.sources],
    )
