"""How the last completions went, in numbers and never in code.  Knows nothing of the protocol."""

from __future__ import annotations

import logging
from collections import Counter, deque
from dataclasses import dataclass
from statistics import median
from typing import Any

from rest_lsp.completion.request import CompletionResult, Outcome

log = logging.getLogger(__name__)

_KEPT = 200


@dataclass(frozen=True)
class Record:
    """One request; `result` is None when there was none."""

    outcome: Outcome
    wait_ms: float
    result: CompletionResult | None


class History:
    """Counts since the start, and the last requests."""

    def __init__(self) -> None:
        self._outcomes: Counter[str] = Counter()
        self._records: deque[Record] = deque(maxlen=_KEPT)

    def record(self, outcome: Outcome, wait_ms: float, result: CompletionResult | None) -> None:
        self._outcomes[outcome.value] += 1
        self._records.append(Record(outcome, wait_ms, result))
        if result is None:
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
        results = [record.result for record in self._records if record.result is not None and record.result.forwards]
        tokens, forwards = sum(result.tokens for result in results), sum(result.forwards for result in results)
        return {
            "requests": sum(self._outcomes.values()),
            "outcomes": dict(self._outcomes),
            "tokens": tokens,
            "forwards": forwards,
            "accepted": sum(result.accepted for result in results),
            "tokens_per_forward": round(tokens / forwards, 2) if forwards else None,
            "median_wait_ms": self._median([record.wait_ms for record in self._records if record.result is not None]),
        }

    def explain_last(self) -> dict[str, Any] | None:
        """Where the newest shown completion came from; None before the first."""
        for record in reversed(self._records):
            if record.outcome is Outcome.RETURNED and record.result is not None:
                result = record.result
                return {
                    "tokens": result.tokens,
                    "forwards": result.forwards,
                    "accepted": result.accepted,
                    "prefill_ms": round(result.prefill_ms, 1),
                    "decode_ms": round(result.decode_ms, 1),
                    "retrieval_ms": round(result.retrieval_ms, 1),
                    "wait_ms": round(record.wait_ms, 1),
                    "sources": [source._asdict() for source in result.sources],
                }
        return None

    @staticmethod
    def _median(values: list[float]) -> float | None:
        return round(median(values), 1) if values else None
