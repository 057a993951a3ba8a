"""How the last completions went, in numbers and never in code.  Knows nothing of the protocol."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rest_lsp.completion.request import CompletionResult, Outcome, SourceUse
from rest_lsp.server.recorder import Recorder

log = logging.getLogger(__name__)

_KEPT = 200


@dataclass(frozen=True)
class Cost:
    """What a result took and where it was drafted from; times in milliseconds.

    `reused` of the `prompt_tokens` were in the KV cache.
    """

    tokens: int
    forwards: int
    accepted: int
    prompt_tokens: int
    reused: int
    prefill_ms: float
    decode_ms: float
    retrieval_ms: float
    sources: tuple[SourceUse, ...]


@dataclass(frozen=True)
class Record:
    """One request; `cost` is None when the model was not asked.

    suggestion   id of what was handed to the editor
    from_cache   the answer is the rest of an earlier one, and so is its cost
    root         of the workspace then, to which the names of sources are relative
    """

    outcome: Outcome
    wait_ms: float
    cost: Cost | None
    suggestion: str | None = None
    from_cache: bool = False
    root: Path | None = None


class History:
    """Counts since the start, and the last requests."""

    def __init__(self, recorder: Recorder | None = None) -> None:
        """`recorder` writes down what is recorded here, and outlives it."""
        self._recorder = recorder
        self._outcomes: Counter[str] = Counter()
        self._records: deque[Record] = deque(maxlen=_KEPT)
        self._shown: Record | None = None
        self._n_from_cache = 0

    def record(
        self,
        outcome: Outcome,
        wait_ms: float = 0.0,
        result: CompletionResult | None = None,
        *,
        suggestion: str | None = None,
        from_cache: bool = False,
        root: Path | None = None,
        path: str = "",
        located: Callable[[SourceUse], SourceUse] | None = None,
    ) -> None:
        """Count one request; of the result only numbers and the places it was drafted from are kept.

        `located` finds a place for a person who wants to look there.
        """
        self._outcomes[outcome.value] += 1
        cost = _cost(result, located or (lambda source: source)) if result is not None else None
        record = Record(outcome, wait_ms, cost, suggestion, from_cache, root)
        self._n_from_cache += from_cache
        self._records.append(record)
        if self._recorder is not None:
            self._recorder.request(outcome, wait_ms, result, suggestion=suggestion, from_cache=from_cache, path=path)
        if outcome is Outcome.RETURNED:
            self._shown = record
        if from_cache:
            log.info("completion: %s again after %.1f ms", outcome.value, wait_ms)
        elif result is None:
            log.info("completion: %s after %.0f ms", outcome.value, wait_ms)
        else:
            log.info(
                "completion: %s after %.0f ms, %d tokens in %d passes, %d drafted and accepted",
                outcome.value,
                wait_ms,
                result.tokens,
                result.forwards,
                result.accepted,
            )

    def summary(self) -> dict[str, Any]:
        """Counts by outcome, waiting times, and what drafting saved."""
        asked = [record for record in self._records if record.cost is not None and not record.from_cache]
        costs = [record.cost for record in asked if record.cost is not None and record.cost.forwards]
        tokens, forwards = sum(cost.tokens for cost in costs), sum(cost.forwards for cost in costs)
        return {
            "requests": sum(self._outcomes.values()),
            "outcomes": dict(self._outcomes),
            "tokens": tokens,
            "forwards": forwards,
            "accepted": sum(cost.accepted for cost in costs),
            "tokens_per_forward": round(tokens / forwards, 2) if forwards else None,
            "median_wait_ms": self._median([record.wait_ms for record in asked]),
            "cache_answers": self._n_from_cache,
        }

    def show(self, suggestion: str) -> None:
        """The editor says that it shows this one, which is not always the last that it was given."""
        found = next((record for record in reversed(self._records) if record.suggestion == suggestion), None)
        self._shown = found or self._shown

    def last_shown(self) -> Record | None:
        """The newest completion that somebody saw; None before the first."""
        return self._shown

    @staticmethod
    def _median(values: list[float]) -> float | None:
        return round(median(values), 1) if values else None


def _cost(result: CompletionResult, located: Callable[[SourceUse], SourceUse]) -> Cost:
    return Cost(
        result.tokens,
        result.forwards,
        result.accepted,
        result.prompt_tokens,
        result.reused,
        result.prefill_ms,
        result.decode_ms,
        result.retrieval_ms,
        tuple(map(located, result.sources)),
    )
