"""What a pass costs, measured: on a machine with no time to spare, too."""

from __future__ import annotations

from pathlib import Path

from rest_lsp.engine.step_timing import ALWAYS_MEASURED, TOKENS, measure_step_cost
from tests.engines import tiny_engine


def test_small_passes_are_measured_however_slow_the_machine_is(tmp_path: Path) -> None:
    cost = measure_step_cost(tiny_engine(tmp_path, "int8"), contexts=(8, 32), limit_s=0.0)
    for points in cost.measured.values():
        assert [n for n, _ in points] == [*range(1, ALWAYS_MEASURED + 1), TOKENS[-1]]
