"""Waits that were cut short count as longer ones, not as short ones."""

from __future__ import annotations

import random

from rest_lsp.bench.censored import CensoredTimes
from rest_lsp.bench.keystroke_replay import KeyEvent
from rest_lsp.bench.keystroke_report import ALL, summarise


def test_what_was_cut_short_is_not_short() -> None:
    # By hand: 5/6 are left after 1, three are watched from 3 on: 5/6 · 2/3 = 5/9 after 3, 5/18 after 4, none after 5.
    assert CensoredTimes.of([1, 3, 4, 5], [2, 2]) == CensoredTimes(6, 2, 4, 5)
    assert CensoredTimes.of([1, 2, 3, 4], []) == CensoredTimes(4, 0, 2, 4)


def test_a_wait_that_is_cut_when_another_ends_lasts_longer() -> None:
    assert CensoredTimes.of([1, 2], [1]) == CensoredTimes(3, 1, 2, 2)


def test_nothing_is_said_of_what_nobody_watched() -> None:
    assert CensoredTimes.of([1], [2, 2]) == CensoredTimes(3, 2)
    assert CensoredTimes.of([], []) == CensoredTimes(0, 0)


def test_the_true_percentiles_are_found_where_a_half_is_superseded() -> None:
    draw = random.Random(1)
    pairs = [(draw.expovariate(1 / 100), draw.expovariate(1 / 100)) for _ in range(20_000)]
    found = CensoredTimes.of([a for a, b in pairs if a <= b], [b for a, b in pairs if b < a])
    assert found.p50 is not None
    assert found.p95 is not None
    assert abs(found.p50 - 69.3) < 4
    assert abs(found.p95 - 299.6) < 25


def test_superseded_keys_that_went_to_the_model_are_among_its_own() -> None:
    events = [KeyEvent("ours", "p", "c", n, 0.0, gap_ms=300.0, source="model") for n in range(3)]
    events[0].latency_ms, events[1].latency_ms = 100.0, 400.0
    events.append(KeyEvent("ours", "p", "c", 3, 0.0, latency_ms=1.0, source="cache"))
    summary = summarise("ours", ALL, events)
    assert (summary.model.n, summary.model.p50) == (2, 250.0)
    assert summary.censored_model == CensoredTimes(3, 1, 400.0, 400.0)
    assert summary.censored == CensoredTimes(4, 1, 100.0, 400.0)
