"""Costs of a pass: measured once, corrected by the passes of a session, and kept for the next one."""

from __future__ import annotations

import json
from math import sqrt
from pathlib import Path

import pytest

from rest_lsp.assembly_costs import choose_budget, keep_costs, known_step_cost
from rest_lsp.config import ModelOptions, Settings
from rest_lsp.drafting.measured_budget import MeasuredBudget
from rest_lsp.drafting.running_cost import SIZES
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


def seen_of_four(engine: Engine, settings: Settings, *, goes_on: bool) -> float:
    budget = choose_budget(settings, engine, goes_on=goes_on)
    assert isinstance(budget, MeasuredBudget)
    for _ in range(400):
        budget.observe(1, PAST, budget.measured.ms(1, PAST))
    return budget.seen[SIZES.index(4)]


def test_the_next_session_begins_between_what_was_measured_and_what_was_seen(
    engine: Engine, settings: Settings
) -> None:
    measured = known_step_cost(settings, engine).measured
    keep_costs(budget_after(engine, settings, 600), settings, engine)
    assert known_step_cost(settings, engine).measured == measured
    assert seen_of_four(engine, settings, goes_on=True) == pytest.approx(sqrt(DEARER), rel=0.02)
    assert seen_of_four(engine, settings, goes_on=False) == 1.0, "a measurement begins with what was measured"


@pytest.mark.parametrize("n_passes", [0, 198])
def test_a_few_passes_say_nothing(engine: Engine, settings: Settings, n_passes: int) -> None:
    budget = budget_after(engine, settings, n_passes)
    keep_costs(budget, settings, engine)
    assert not budget.seen
    assert seen_of_four(engine, settings, goes_on=True) == 1.0


@pytest.mark.parametrize("damage", ['"seen": ["x"]', '"seen": 3', '"seen": [1.0, 2.0]', '"seen": [-1e9, NaN]'])
def test_damaged_corrections_are_no_corrections(engine: Engine, settings: Settings, damage: str) -> None:
    known_step_cost(settings, engine)
    [file] = (settings.model.cache_dir / "costs").iterdir()
    file.write_text(file.read_text(encoding="utf-8").replace('"seen": []', damage), encoding="utf-8")
    assert seen_of_four(engine, settings, goes_on=True) == 1.0


def test_a_measurement_that_something_disturbed_does_not_last(engine: Engine, settings: Settings) -> None:
    undisturbed = known_step_cost(settings, engine)
    [file] = (settings.model.cache_dir / "costs").iterdir()
    disturbed = {context: [(n, 50 * ms) for n, ms in points] for context, points in undisturbed.measured.items()}
    file.write_text(json.dumps({"ms": disturbed, "seen": [2.0] * len(SIZES)}), encoding="utf-8")
    assert known_step_cost(settings, engine).ms(1, PAST) > 40 * undisturbed.ms(1, PAST), "nobody looked again"
    again = known_step_cost(settings, engine, looks_again=True)
    assert again.ms(1, PAST) < 25 * undisturbed.ms(1, PAST)
    assert known_step_cost(settings, engine).measured == again.measured
    assert seen_of_four(engine, settings, goes_on=True) == 1.0, "what was seen belongs to another measurement"


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
