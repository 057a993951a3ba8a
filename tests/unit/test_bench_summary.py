"""The arithmetic, the JSON and the table of a report, on runs that are made up."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from rest_lsp.bench.cases import Case, Kind
from rest_lsp.bench.floor import FloorProbe
from rest_lsp.bench.machine import this_machine
from rest_lsp.bench.results import CostPoint, Judgement, Pair, Run, Setting, merge_repeats
from rest_lsp.bench.summary import report_json, summarise, write_report
from rest_lsp.bench.table import print_equality, print_report
from rest_lsp.errors import RestLspError
from rest_lsp.positions import Position

SETTING = Setting(
    workload="a tree",
    model="tiny",
    device="cpu",
    dtype="fp32",
    threads=2,
    machine={"cpu": "made up", "torch": "2"},
    memory_floor_ms=5.0,
    nodes=None,
    repeat=1,
    seed=1,
    cost_curve=(CostPoint(0, 10.0), CostPoint(4, 12.0)),
)


def run(
    tokens: tuple[int, ...],
    decode_ms: float,
    *,
    forwards: int | None = None,
    accepted: dict[str, int] | None = None,
    looped: bool = False,
) -> Run:
    return Run(
        tokens=tokens,
        text="",
        forwards=len(tokens) if forwards is None else forwards,
        accepted=accepted or {},
        drafted=6 if accepted else 0,
        prefill_ms=100.0,
        decode_ms=decode_ms,
        retrieval_ms=1.0 if accepted else 0.0,
        draft_ms=[0.25, 0.75] if accepted else (),
        learn_ms=[0.05, 0.15] if accepted else (),
        stop="end",
        looped=looped,
    )


def pair(name: str, kind: Kind, plain: Run, rest: Run) -> Pair:
    return Pair(Case(name, "a.py", kind, Position(0, 0), Position(0, 9)), plain, rest)


FAST = pair("fast", "block", run((1, 2, 3, 4), 40.0), run((1, 2, 3, 4), 20.0, forwards=2, accepted={"datastore": 2}))
SLOW = pair("slow", "line", run((1, 2), 20.0), run((1, 2), 25.0, forwards=2))
LOOP = pair("loop", "body", run((7,) * 60, 600.0), run((7,) * 60, 60.0, forwards=6, looped=True))
WRONG = pair("wrong", "body", run((1, 2, 3), 30.0), run((1, 9), 20.0))


def test_speedup_is_the_ratio_of_the_sums_and_loops_do_not_count() -> None:
    summary = summarise([FAST, SLOW, LOOP])
    assert (summary.cases, summary.looped, summary.mismatches) == (3, 1, 0)
    assert summary.speedup == pytest.approx(60 / 45)
    assert summary.speedup_p05 == pytest.approx(0.8 + 0.05 * (2.0 - 0.8))
    assert summary.speedup_slowest == pytest.approx(0.8)
    assert summary.plain.ms_per_token == pytest.approx(10.0)
    assert summary.rest.ms_per_token == pytest.approx(45 / 6)
    assert summary.plain.tokens_per_forward == 1.0
    assert summary.rest.tokens_per_forward == pytest.approx(6 / 4)
    assert summary.rest.nodes_per_step == pytest.approx(6 / 4)
    assert summary.rest.draft_ms_p50 == pytest.approx(0.5)
    assert summary.rest.draft_ms_p99 == pytest.approx(0.745)
    assert (summary.rest.assembly_ms_p50, summary.rest.learning_ms_p50) == pytest.approx((0.4, 0.1))
    assert (summary.rest.assembly_ms_p99, summary.rest.learning_ms_p99) == pytest.approx((0.596, 0.149))
    assert summary.plain.draft_ms_p99 == summary.plain.assembly_ms_p99 == 0.0
    assert summary.rest.accepted_by_source == {"datastore": 2}


def test_no_case_at_all_gives_zeros() -> None:
    summary = summarise([])
    assert (summary.speedup, summary.speedup_p05, summary.plain.ms_per_token) == (0.0, 0.0, 0.0)


def test_a_loop_that_differs_is_still_a_mismatch() -> None:
    looped = pair("loop", "body", run((7, 7, 7), 3.0, looped=True), run((7, 7, 8, 9), 3.0))
    assert summarise([looped]).mismatches == 2


def test_a_mismatch_tells_where_the_outputs_part() -> None:
    assert FAST.mismatch is None
    assert WRONG.mismatch == ("wrong", 1, 2, 9)
    shorter = pair("shorter", "line", run((1, 2), 1.0), run((1,), 1.0))
    assert shorter.mismatch == ("shorter", 1, 2, None)


def test_near_ties_and_errors_are_told_apart() -> None:
    tie, error = (replace(WRONG, judgement=Judgement(*counts)) for counts in ((2, 0, 1.5), (1, 1, 40.0)))
    assert (summarise([FAST]).near_ties, summarise([FAST]).errors) == (0, 0)
    assert (summarise([tie]).near_ties, summarise([tie]).errors) == (2, 0)
    assert summarise([tie, error, WRONG]).errors == 2, "what nobody judged is an error"
    assert report_json(SETTING, [tie])["mismatches"] == [
        {"id": "wrong", "position": 1, "plain": 2, "rest": 9, "near_ties": 2, "errors": 0, "worst": 1.5}
    ]
    console = Console(file=io.StringIO(), width=100)
    print_equality(console, [tie, error])
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "2 became 9, a near tie (1.5 roundings apart)" in shown
    assert "2 became 9, an error (40.0 roundings apart)" in shown
    assert "4 of 6 tokens differ: 3 near ties, 1 true error;" in shown


def test_repeats_are_merged_by_medians_and_never_hide_a_difference() -> None:
    runs = [run((1, 2), 9.0), run((1, 3), 1.0), run((1, 2), 5.0)]
    merged = merge_repeats(runs, expected=(1, 2))
    assert merged.tokens == (1, 3)
    assert merged.decode_ms == 5.0
    assert merge_repeats(runs[::2], expected=(1, 2)).tokens == (1, 2)


def test_the_report_has_what_other_tools_rely_on(tmp_path: Path) -> None:
    write_report(tmp_path / "deep" / "report.json", report_json(SETTING, [FAST, SLOW, WRONG]))
    report = json.loads((tmp_path / "deep" / "report.json").read_text(encoding="utf-8"))
    assert {"model", "device", "dtype", "threads", "machine", "memory_floor_ms", "cases", "summary"} <= report.keys()
    row = {"id", "mode", "tokens", "forwards", "accepted", "prefill_ms", "decode_ms", "retrieval_ms"}
    assert [(case["id"], case["mode"]) for case in report["cases"]] == [
        (name, mode) for name in ("fast", "slow", "wrong") for mode in ("plain", "rest")
    ]
    assert all(row <= case.keys() for case in report["cases"])
    summary = report["summary"]
    assert {"ms_per_token", "tokens"} <= summary["modes"]["plain"].keys()
    assert {"ms_per_token", "tokens", "tokens_per_forward"} <= summary["modes"]["rest"].keys()
    assert {"speedup", "speedup_p05", "identical", "mismatches"} <= summary.keys()
    assert (summary["identical"], summary["mismatches"]) == (False, 2)
    assert report["mismatches"] == [{"id": "wrong", "position": 1, "plain": 2, "rest": 9}]
    assert set(summary["kinds"]) == {"line", "block", "body", "block_and_body"}
    assert summary["kinds"]["block_and_body"]["cases"] == 2
    assert report["cost_curve"][1] == {"nodes": 4, "ms": 12.0}


def test_a_report_that_cannot_be_written_names_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(RestLspError, match=r"report\.json"):
        write_report(tmp_path / "file" / "report.json", {})


def test_the_table_shows_each_kind_and_names_what_differs() -> None:
    console = Console(file=io.StringIO(), width=80)
    print_report(console, SETTING, [FAST, SLOW, LOOP, WRONG])
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    for words in ("line", "block", "body", "all", "2.00 ×", "0.80 ×", "wrong differs from token 1 on: 2 became 9"):
        assert words in shown
    assert "1 of 4 outputs repeat themselves" in shown
    assert "plain decoding takes 2.00 × that" in shown
    words = " ".join(shown.split())
    assert "Draft assembly in each pass: p50 0.40 ms, p99 0.60 ms." in words
    assert "Learning from it: p50 0.10 ms, p99 0.15 ms; both together: p50 0.50 ms, p99 0.74 ms." in words


def test_the_floor_is_bytes_over_bandwidth() -> None:
    small, large = (FloorProbe(n, device="cpu", threads=1) for n in (32 * 2**20, 64 * 2**20))
    for probe in (small, large):
        probe.sample()
    assert large.ms == pytest.approx(64 * 2**20 / large.bandwidth_gb_s / 1e6)
    assert small.ms == pytest.approx(32 * 2**20 / small.bandwidth_gb_s / 1e6)
    assert 0.5 < small.bandwidth_gb_s < 10_000


def test_this_machine_is_plain_data() -> None:
    machine = this_machine().to_json()
    assert json.loads(json.dumps(machine)) == machine
    assert machine["cores"] >= 1
    assert machine["cpu"]
