"""Costs of a pass: measured once, corrected by the passes of a session, and kept for the next one."""

from __future__ import annotations

from pathlib import Path

import pytest

from rest_lsp.assembly_costs import choose_budget, keep_costs, known_step_cost
from rest_lsp.config import ModelOptions, Settings
from rest_lsp.drafting.measured_budget import MeasuredBudget
from rest_lsp.engine.engine import Engine
from tests.engines import tiny_engine

PAST = 64
DEARER = 1.5


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return tiny_engine(tmp_path_factory.mktemp("model"), "fp32")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(model=ModelOptions(cache_dir=tmp_path))


def budget_after(engine: Engine, settings: Settings, n_passes: int) -> MeasuredBudget:
    """One that has seen passes in which four tokens were dearer than was measured."""
    budget = choose_budget(settings, engine)
    assert isinstance(budget, MeasuredBudget)
    for _ in range(n_passes // 2):
        budget.observe(1, PAST, budget.measured.ms(1, PAST))
        budget.observe(4, PAST, DEARER * budget.measured.ms(4, PAST))
    return budget


def test_the_next_session_begins_with_what_passes_took(engine: Engine, settings: Settings) -> None:
    first = known_step_cost(settings, engine)
    keep_costs(budget_after(engine, settings, 600), settings, engine)
    again = known_step_cost(settings, engine)
    assert again.ms(1, PAST) == pytest.approx(first.ms(1, PAST))
    assert again.ms(4, PAST) == pytest.approx(DEARER * first.ms(4, PAST), rel=0.05)
    assert again.max_tokens == first.max_tokens
    keep_costs(budget_after(engine, settings, 0), settings, engine)
    assert known_step_cost(settings, engine).measured == again.measured, "nothing was seen that says more"


def test_a_folder_that_cannot_be_written_costs_a_message(
    engine: Engine, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    budget = budget_after(engine, settings, 600)
    folder = settings.model.cache_dir / "costs"
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    folder.write_text("no folder", encoding="utf-8")
    keep_costs(budget, settings, engine)
    assert "costs of a pass cannot be kept" in caplog.text
