"""What a pass costs, measured: on a machine with no time to spare, too."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rest_lsp.drafting.cost_model import StepCost
from rest_lsp.engine.cuda_graphs import Compute
from rest_lsp.engine.engine import Engine
from rest_lsp.engine.step_timing import (
    ALWAYS_MEASURED,
    CONTEXTS,
    KERNELS,
    TOKENS,
    digest_of,
    is_quicker_than,
    machine_key,
    measure_step_cost,
    quickest_of,
)
from tests.engines import static_engine, tiny_engine


def test_small_passes_are_measured_however_slow_the_machine_is(tmp_path: Path) -> None:
    cost = measure_step_cost(tiny_engine(tmp_path, "int8"), contexts=(8, 32), limit_s=0.0)
    for points in cost.measured.values():
        assert [n for n, _ in points] == [*range(1, ALWAYS_MEASURED + 1), TOKENS[-1]]


class Clock:
    """Time that passes only where somebody says so; stands for the module `time`."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    monotonic = perf_counter


def engine_on(clock: Clock, folder: Path, *, capture_s: float, row_s: float, fixed_width: bool = False) -> Engine:
    """Captures and passes take so long on `clock`, a pass 1 ms more."""

    def capture(compute: Compute) -> Compute:
        clock.now += capture_s

        def replay() -> torch.Tensor:
            logits = compute()
            clock.now += 1e-3 + row_s * len(logits)
            return logits

        return replay

    exact = tiny_engine(folder, "fp32", max_context=1200, capacity=1200)
    return static_engine(exact, fixed_width=fixed_width, capture=capture, capacity=1200)


@pytest.mark.parametrize("fixed_width", [False, True])
def test_what_a_width_takes_once_is_no_part_of_its_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fixed_width: bool
) -> None:
    clock = Clock()
    monkeypatch.setattr("rest_lsp.engine.step_timing.time", clock)
    engine = engine_on(clock, tmp_path, capture_s=1.0, row_s=1e-5, fixed_width=fixed_width)
    cost = measure_step_cost(engine)
    assert list(cost.measured) == list(CONTEXTS)
    for points in cost.measured.values():
        assert [n for n, _ in points] == list(TOKENS)
        assert points[-1][1] == pytest.approx(1.65)


def test_costs_are_kept_for_the_kernels_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "product.py").write_text("TILE = 6\n", encoding="utf-8")
    before = digest_of(tmp_path)
    (tmp_path / "product.py").write_text("TILE = 9\n", encoding="utf-8")
    assert digest_of(tmp_path) != before
    assert machine_key().endswith(KERNELS)


@pytest.mark.parametrize(
    ("dearer", "is_quicker"), [({}, False), ({1: 1.05, 4: 1.05}, False), ({1: 1.2}, True), ({9: 1.2}, True)]
)
def test_a_look_finds_out_what_takes_less_than_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dearer: dict[int, float], is_quicker: bool
) -> None:
    clock = Clock()
    monkeypatch.setattr("rest_lsp.engine.step_timing.time", clock)
    engine = engine_on(clock, tmp_path, capture_s=0.0, row_s=1e-4)
    cost = measure_step_cost(engine)
    known = StepCost(
        {context: [(n, ms * dearer.get(n, 1.0)) for n, ms in points] for context, points in cost.measured.items()}
    )
    assert is_quicker_than(engine, known) == is_quicker
    assert quickest_of(known, cost).measured == cost.measured
    assert quickest_of(cost, known).measured == cost.measured
