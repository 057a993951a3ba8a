"""Statistics: sums and quantiles against arithmetic done by hand."""

from __future__ import annotations

import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_lsp.stats import SPANS, CompletionStats, PassTimes, SpanSummary, StatsLog


def test_a_span_is_timed_and_repetitions_add_up() -> None:
    stats = CompletionStats()
    stats.add("draft", 1.5)
    stats.add("draft", 2.0)
    with stats.span("verify"):
        pass
    assert stats.spans["draft"] == 3.5
    assert stats.spans["verify"] >= 0
    assert stats.total_ms == pytest.approx(3.5 + stats.spans["verify"])


def test_a_step_that_fails_is_timed_too() -> None:
    stats = CompletionStats()
    with pytest.raises(RuntimeError), stats.span("prefill"):
        raise RuntimeError
    assert "prefill" in stats.spans


@given(st.lists(st.tuples(st.integers(0, 64), st.integers(0, 8), st.integers(0, 1))))
def test_forward_passes_are_counted(passes: list[tuple[int, int, int]]) -> None:
    stats = CompletionStats()
    for drafted, accepted, own in passes:
        stats.forward(drafted, accepted, accepted + own)
    assert stats.forwards == len(passes)
    assert stats.drafted == sum(drafted for drafted, _, _ in passes)
    assert stats.tokens == sum(accepted + own for _, accepted, own in passes)


def test_an_empty_log_has_a_summary() -> None:
    log = StatsLog()
    assert (log.summary().tokens_per_forward, log.summary().acceptance, log.summary().spans) == (0.0, 0.0, {})


def test_the_summary_rolls() -> None:
    log = StatsLog(window=2)
    for ms in (1.0, 3.0, 5.0):
        stats = CompletionStats()
        stats.add("prefill", ms)
        stats.forward(4, 2, 3)
        log.record(stats)
    summary = log.summary()
    assert summary.completions == 2
    assert summary.spans["prefill"] == SpanSummary(2, 4.0, 4.9)
    assert (summary.tokens, summary.forwards, summary.tokens_per_forward, summary.acceptance) == (6, 2, 3.0, 0.5)


def test_a_summary_is_json_with_the_steps_in_their_order() -> None:
    log = StatsLog()
    stats = CompletionStats()
    for name in reversed(SPANS):
        stats.add(name, 1.0)
    log.record(stats)
    written = json.loads(json.dumps(log.summary().as_json()))
    assert list(written["spans_ms"]) == list(SPANS)


def test_threads_may_record_while_others_read() -> None:
    log = StatsLog(window=800)

    def record() -> None:
        for _ in range(200):
            stats = CompletionStats()
            stats.forward(1, 1, 2)
            log.record(stats)
            assert log.summary().tokens_per_forward == 2.0

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.summary().completions == 800


def test_passes_are_told_by_their_percentiles_of_late() -> None:
    passes = PassTimes(window=100)
    log = StatsLog(passes=passes)
    assert log.summary().as_json()["pass_ms"] == {"p50": None, "p99": None, "n": 0}
    for ms in (900.0, *range(100)):
        passes.add(ms)
    assert log.summary().as_json()["pass_ms"] == {"p50": 50.0, "p99": 99.0, "n": 101}
