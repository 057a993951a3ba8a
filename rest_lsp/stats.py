"""How long each step of a completion took, what drafting saved, and a rolling summary.

Knows names and numbers, never code: nothing in here can leak what somebody types.  Standard library only.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Literal, NamedTuple, get_args

Span = Literal["snapshot", "build_prompt", "prefill", "draft", "verify", "postprocess"]
SPANS: tuple[Span, ...] = get_args(Span)


@dataclass
class CompletionStats:
    """One completion while it is made; written by one thread at a time.

    `spans` are milliseconds, summed over repetitions.
    `accept_counts[n]` says how many forward passes took n drafted tokens; `draft_ms` is what drafting took in each, and
    `learn_ms` the part of it that went into learning.
    """

    spans: dict[Span, float] = field(default_factory=dict)
    accept_counts: Counter[int] = field(default_factory=Counter)
    draft_ms: list[float] = field(default_factory=list)
    learn_ms: list[float] = field(default_factory=list)
    drafted: int = 0
    tokens: int = 0

    @contextmanager
    def span(self, name: Span) -> Iterator[None]:
        """Time the body as (a part of) `name`, also when it raises."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, (time.perf_counter() - start) * 1000)

    def add(self, name: Span, ms: float) -> None:
        """Add time that was measured elsewhere."""
        self.spans[name] = self.spans.get(name, 0.0) + ms

    def forward(self, drafted: int, accepted: int, tokens: int) -> None:
        """Count one forward pass that verified `drafted` tokens and yielded `tokens`, of which `accepted` were drafted.

        `tokens` is one more than `accepted` but where a drafted token ended the completion: the model's own pick
        behind it was never asked for.
        """
        self.drafted += drafted
        self.tokens += tokens
        self.accept_counts[accepted] += 1

    @property
    def forwards(self) -> int:
        return self.accept_counts.total()

    @property
    def accepted(self) -> int:
        return sum(count * passes for count, passes in self.accept_counts.items())

    @property
    def total_ms(self) -> float:
        return sum(self.spans.values())


class PassTimes:
    """Milliseconds of the last `window` forward passes, of those that read a prompt as well.  Safe to use from threads.

    On a GPU, where passes run beside us, reading takes what starting it takes.
    """

    def __init__(self, window: int = 2000) -> None:
        self.n = 0
        """All of them since the start."""
        self._recent: deque[float] = deque(maxlen=window)
        self._lock = threading.Lock()

    def add(self, ms: float) -> None:
        with self._lock:
            self._recent.append(ms)
            self.n += 1

    def as_json(self) -> dict[str, float | None]:
        """p50 and p99, None before the first pass, and how many there were since the start."""
        with self._lock:
            ordered = sorted(self._recent)
        p50, p99 = (round(ordered[share * len(ordered) // 100], 1) if ordered else None for share in (50, 99))
        return {"p50": p50, "p99": p99, "n": self.n}


class SpanSummary(NamedTuple):
    """Milliseconds of one step over the completions that had it."""

    times: int
    p50: float
    p95: float


@dataclass(frozen=True)
class StatsSummary:
    """The last completions together, those of the rolling window."""

    completions: int
    spans: Mapping[str, SpanSummary]
    tokens: int
    forwards: int
    drafted: int
    accepted: int
    pass_ms: Mapping[str, float | None]

    @property
    def tokens_per_forward(self) -> float:
        return self.tokens / self.forwards if self.forwards else 0.0

    @property
    def acceptance(self) -> float:
        """Share of the drafted tokens that the model would have written itself."""
        return self.accepted / self.drafted if self.drafted else 0.0

    def as_json(self) -> dict[str, object]:
        """Plain data, rounded for people, steps in their order."""
        return {
            "completions": self.completions,
            "tokens": self.tokens,
            "forwards": self.forwards,
            "tokens_per_forward": round(self.tokens_per_forward, 3),
            "acceptance": round(self.acceptance, 3),
            "pass_ms": dict(self.pass_ms),
            "spans_ms": {name: {"p50": round(s.p50, 2), "p95": round(s.p95, 2)} for name, s in self.spans.items()},
        }


class StatsLog:
    """The last `window` completions, and the `passes` of the model.  Safe to use from several threads."""

    def __init__(self, window: int = 512, passes: PassTimes | None = None) -> None:
        self._passes = passes or PassTimes()
        self._recent: deque[CompletionStats] = deque(maxlen=window)
        self._lock = threading.Lock()

    def record(self, stats: CompletionStats) -> None:
        """Take a finished completion; it must not change any more."""
        with self._lock:
            self._recent.append(stats)

    def summary(self) -> StatsSummary:
        """Everything in the window as it is now."""
        with self._lock:
            recent = list(self._recent)
        times = {name: [stats.spans[name] for stats in recent if name in stats.spans] for name in SPANS}
        return StatsSummary(
            completions=len(recent),
            spans={name: _summarise(values) for name, values in times.items() if values},
            tokens=sum(stats.tokens for stats in recent),
            forwards=sum(stats.forwards for stats in recent),
            drafted=sum(stats.drafted for stats in recent),
            accepted=sum(stats.accepted for stats in recent),
            pass_ms=self._passes.as_json(),
        )


def _summarise(values: list[float]) -> SpanSummary:
    if len(values) == 1:
        return SpanSummary(1, values[0], values[0])
    cuts = quantiles(values, n=20, method="inclusive")
    return SpanSummary(len(values), cuts[9], cuts[18])
