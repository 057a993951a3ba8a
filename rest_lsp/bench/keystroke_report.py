"""The keys of a replay summed up: how soon answers came, from where, and what they were worth.  Knows no screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from rest_lsp.bench.censored import CensoredTimes
from rest_lsp.bench.keystroke_replay import KeyEvent
from rest_lsp.bench.machine import Machine

OURS, BARE = "ours", "bare"
ALL, MID_LINE = "all", "mid-line"
WARM_KEYS = 1000
"""Memory is compared with what it was after so many keys."""


@dataclass(frozen=True)
class Times:
    """Percentiles in milliseconds; None where there was nothing."""

    n: int
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None

    @classmethod
    def of(cls, values: Iterable[float]) -> Times:
        found = list(values)
        if not found:
            return cls(0)
        p50, p95, p99 = (round(float(value), 1) for value in np.percentile(found, (50, 95, 99)))
        return cls(len(found), p50, p95, p99)


@dataclass(frozen=True)
class Summary:
    """One arm in one project, or in all: the bodies of functions, or what was typed into the middle of lines.

    group        the project, ALL or MID_LINE
    answered     time of the keys that were answered before the next one came
    all_keys     of all keys; one that was superseded counts for as long as somebody waited, which was too short
    model, cache, rule   `answered` by who answered
    censored     of all keys; one that was superseded would have waited for longer than it did
    censored_model  the same of the keys that went to the model, whether it came to an answer or not
    shares       of the requests: answered from the cache, by the model, by a rule; superseded; shown
    typed, saved characters that were typed, and that came by suggestions (each Tab subtracted)
    prefixes     of the distinct suggestions by the model, the shares that were right as a whole, in the first line, in
                 the first word, and not at all
    """

    arm: str
    group: str
    keys: int
    errors: int
    answered: Times
    all_keys: Times
    model: Times
    cache: Times
    rule: Times
    censored: CensoredTimes
    censored_model: CensoredTimes
    shares: Mapping[str, float]
    typed: int
    saved: int
    accepts: int
    prefixes: Mapping[str, float]

    @property
    def saved_per_typed(self) -> float:
        return self.saved / self.typed if self.typed else 0.0

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "saved_per_typed": round(self.saved_per_typed, 4)}


@dataclass(frozen=True)
class ArmFigures:
    """What is known of an arm as a whole.

    model_ms     milliseconds of the model by use: answers, given up, ahead of time
    memory       (keys, bytes) of the server's process
    lingered     milliseconds from giving work up until the engine was free: p50 and p99
    pass_ms      milliseconds of one forward pass of the same server, also of those that read prompts: p50 and p99
    storm        500 requests within a second: how long the server was silent, and until the last was answered
    """

    model_ms: Mapping[str, float] = field(default_factory=dict)
    memory: Sequence[tuple[int, int]] = ()
    lingered: Mapping[str, float | None] = field(default_factory=dict)
    pass_ms: Mapping[str, float | None] = field(default_factory=dict)
    storm: Mapping[str, float] = field(default_factory=dict)

    def of_server(self, stats: Mapping[str, Any]) -> ArmFigures:
        """With how long work lingered and a pass takes, by the server's answer to `rest.stats`."""
        engine = stats["engine"]
        lingered = {"p50": engine["lingered_p50_ms"], "p99": engine["lingered_p99_ms"]}
        return replace(self, lingered=lingered, pass_ms=stats["costs"]["pass_ms"])

    @property
    def lingered_passes(self) -> dict[str, float]:
        """How long work lingered, in forward passes: p50 by p50, p99 by p99."""
        both = {name: (self.lingered.get(name), self.pass_ms.get(name)) for name in ("p50", "p99")}
        return {name: round(took / whole, 3) for name, (took, whole) in both.items() if took is not None and whole}

    @property
    def wasted_share(self) -> float | None:
        total = sum(self.model_ms.values())
        return self.model_ms.get("given_up", 0.0) / total if total else None

    @property
    def memory_growth(self) -> float | None:
        """From the first WARM_KEYS keys, or the middle of a shorter run, to the end; a share."""
        if not self.memory:
            return None
        last = self.memory[-1]
        warm = next((size for keys, size in self.memory if keys >= min(WARM_KEYS, last[0] // 2)), last[1])
        return last[1] / warm - 1


@dataclass(frozen=True)
class KeystrokeReport:
    """All events, in their order, and what they stand for."""

    model: str
    machine: Machine
    cadence_ms: float
    seed: int
    events: Sequence[KeyEvent]
    figures: Mapping[str, ArmFigures]

    @property
    def arms(self) -> list[str]:
        return list(self.figures)

    def summaries(self) -> list[Summary]:
        """Every arm as a whole, then by project; what was typed into the middle of lines stands by itself behind."""
        found: list[Summary] = []
        for arm in self.arms:
            own = [event for event in self.events if event.arm == arm]
            bodies = [event for event in own if not event.is_mid_line]
            projects = list(dict.fromkeys(event.project for event in bodies))
            groups = {ALL: bodies} | {
                project: [event for event in bodies if event.project == project]
                for project in projects if len(projects) > 1
            }  # fmt: skip
            if mid_line := [event for event in own if event.is_mid_line]:
                groups[MID_LINE] = mid_line
            found += [summarise(arm, group, events) for group, events in groups.items()]
        return found

    def advantages(self) -> dict[str, float]:
        """What ours saved per typed over what the bare model did, by group; where it saved anything."""
        saved = {(each.arm, each.group): each.saved_per_typed for each in self.summaries()}
        return {
            name: round(ratio / saved[BARE, name], 4)
            for (arm, name), ratio in saved.items()
            if arm == OURS and saved.get((BARE, name))
        }

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "machine": self.machine.to_json(),
            "cadence_ms": self.cadence_ms,
            "seed": self.seed,
            "advantages": self.advantages(),
            "summaries": [summary.to_json() for summary in self.summaries()],
            "arms": {
                arm: {
                    **asdict(figures),
                    "wasted_share": figures.wasted_share,
                    "memory_growth": figures.memory_growth,
                    "lingered_passes": figures.lingered_passes,
                }
                for arm, figures in self.figures.items()
            },
            "events": [asdict(event) for event in self.events],
        }


def summarise(arm: str, group: str, events: Sequence[KeyEvent]) -> Summary:
    answered = [event for event in events if event.latency_ms is not None]
    n = max(1, len(events))
    sources = Counter(event.source for event in answered)
    shares = {source: round(sources[source] / n, 4) for source in ("cache", "model", "rule")}
    shares["superseded"] = round(1 - len(answered) / n, 4)
    shares["shown"] = round(sum(event.n_shown > 0 for event in events) / n, 4)
    return Summary(
        arm=arm,
        group=group,
        keys=len(events),
        errors=sum(event.error is not None for event in events),
        answered=Times.of(event.latency_ms or 0.0 for event in answered),
        all_keys=Times.of(event.gap_ms if event.latency_ms is None else event.latency_ms for event in events),
        model=_of_source(answered, "model"),
        cache=_of_source(answered, "cache"),
        rule=_of_source(answered, "rule"),
        censored=_censored(events),
        censored_model=_censored([event for event in events if event.source == "model"]),
        shares=shares,
        typed=sum(not event.is_accept for event in events),
        saved=sum(event.n_saved for event in events),
        accepts=sum(event.is_accept for event in events),
        prefixes=_prefixes([event for event in answered if event.source == "model" and event.n_shown]),
    )


def _of_source(events: Iterable[KeyEvent], source: str) -> Times:
    return Times.of(event.latency_ms or 0.0 for event in events if event.source == source)


def _censored(events: Sequence[KeyEvent]) -> CensoredTimes:
    return CensoredTimes.of(
        [event.latency_ms for event in events if event.latency_ms is not None],
        [event.gap_ms for event in events if event.latency_ms is None],
    )


def _prefixes(shown: Sequence[KeyEvent]) -> dict[str, float]:
    n = max(1, len(shown))
    return {
        "whole": round(sum(event.is_right for event in shown) / n, 4),
        "line": round(sum(event.n_right >= event.n_line for event in shown) / n, 4),
        "word": round(sum(event.n_right >= event.n_word for event in shown) / n, 4),
        "none": round(sum(event.n_right == 0 for event in shown) / n, 4),
    }
