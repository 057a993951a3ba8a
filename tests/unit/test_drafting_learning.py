"""What drafters learn: acceptance by cell, costs, successors; and what files have to do with each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_lsp.assembly_experience import calibration_file, keep_experience, kept_experience
from rest_lsp.config import ModelOptions, Settings
from rest_lsp.drafting.affinity import Affinity
from rest_lsp.drafting.calibration import Calibration
from rest_lsp.drafting.confidence import FEATURES, Confidence, Evidence, features
from rest_lsp.drafting.cost_model import Budget, FixedBudget, StepCost
from rest_lsp.drafting.drafter import Verdict
from rest_lsp.drafting.growth import CHANCE, KNOWN_AS, MATCHED, N_FLOATS, N_INTS, PARENT, ROOT, TOKEN, cell
from rest_lsp.drafting.imports import imported_modules
from rest_lsp.drafting.measured_budget import MeasuredBudget
from rest_lsp.drafting.running_cost import RunningCost
from rest_lsp.drafting.successors import SuccessorTable
from rest_lsp.drafting.traits import BEFORE, IMPORTED, NEIGHBOUR, OPEN, REPOSITORY, SUCCESSOR
from rest_lsp.drafting.tree_drafter import Experience, TreeDrafter

LENGTH = 6
COST = StepCost({100: [(1, 10.0), (2, 11.0), (9, 18.0), (65, 200.0)]})
evidences = st.builds(
    Evidence, st.integers(0, 40), st.integers(0, 20), st.floats(0, 1), st.floats(0, 1), st.integers(0, 2**14 - 1)
)


@given(evidences, st.lists(st.floats(-3, 3), min_size=len(FEATURES), max_size=len(FEATURES)))
def test_the_fast_sum_is_the_product_of_features_and_weights(evidence: Evidence, weights: list[float]) -> None:
    confidence = Confidence(dict(zip(FEATURES, weights, strict=True)))
    product = sum(value * weight for value, weight in zip(features(evidence), weights, strict=True))
    assert confidence.log_odds(evidence) == pytest.approx(product)


def observe(calibration: Calibration, *, kept: bool) -> None:
    """Two guesses one below the other, each with even odds; the model writes both, or another token first."""
    ints, floats = np.zeros((N_INTS, 2), np.int32), np.zeros((N_FLOATS, 2))
    ints[TOKEN], ints[PARENT], ints[MATCHED], ints[KNOWN_AS] = (7, 8), (ROOT, 0), (LENGTH, LENGTH), BEFORE
    floats[CHANCE] = 0.5, 0.25
    calibration.observe_tree(ints, floats, np.array([7, 9] if kept else [1, 8], np.int32))


def test_what_lies_below_a_wrong_guess_was_no_guess() -> None:
    calibration = Calibration()
    observe(calibration, kept=False)
    assert (calibration.observed, calibration.shifts[cell(LENGTH, BEFORE, 1)]) == (1, 0.0)
    observe(calibration, kept=True)
    assert calibration.observed == 3


def test_calibration_learns_what_a_cell_keeps_and_is_read_back() -> None:
    calibration = Calibration()
    for turn in range(400):
        observe(calibration, kept=turn % 10 == 0)
    assert calibration.shifts[cell(LENGTH, BEFORE, 0)] < -0.5
    assert calibration.shifts[cell(LENGTH, BEFORE, 1)] < -0.5
    assert calibration.shifts[cell(LENGTH, REPOSITORY, 0)] == 0.0
    again = Calibration.from_json(calibration.to_json())
    assert again.shifts == pytest.approx(calibration.shifts, abs=1e-3)
    for damaged in ({"0": [9.0, 1.0]}, {"-1": [0.0, 1.0]}, {"x": [0.0, 1.0]}, {"99999": [0.0, 1.0]}):
        with pytest.raises((ValueError, IndexError)):
            Calibration.from_json(damaged)


def test_what_was_learnt_is_kept_for_the_workspace_and_model(tmp_path: Path) -> None:
    settings = Settings(model=ModelOptions(cache_dir=tmp_path))
    experience = kept_experience(settings, tmp_path, "m")
    assert experience.calibration is not None
    observe(experience.calibration, kept=True)
    keep_experience(experience, settings, tmp_path, "m")
    again = kept_experience(settings, tmp_path, "m").calibration
    assert again is not None
    learnt = experience.calibration.shifts[cell(LENGTH, BEFORE, 0)]
    assert again.shifts[cell(LENGTH, BEFORE, 0)] == pytest.approx(learnt, abs=1e-3) != 0.0
    other = kept_experience(settings, tmp_path, "another").calibration
    assert other is not None
    assert other.shifts[3] == 0.0
    calibration_file(settings, tmp_path, "m").write_text("{]", encoding="utf-8")
    damaged = kept_experience(settings, tmp_path, "m").calibration
    assert damaged is not None
    assert damaged.shifts[3] == 0.0


def test_costs_follow_the_passes_and_not_what_disturbs_them() -> None:
    cost = RunningCost(COST)
    for _ in range(400):
        cost.observe(1, 100, 10.0)
        cost.observe(5, 100, 28.0)
        cost.observe(5, 100, 5000.0)
    assert cost.factors[1] == 1.0
    assert cost.factors[5] == pytest.approx(2.0, rel=0.1)
    assert cost.factors[9] == 1.0
    assert cost.base(100)[5] == 14.0


def test_a_slower_machine_is_not_a_dearer_draft() -> None:
    cost = RunningCost(COST)
    for _ in range(400):
        cost.observe(1, 100, 15.0)
        cost.observe(5, 100, 21.0)
    assert cost.factors[5] == pytest.approx(1.0, rel=0.05)


def test_successors_of_the_last_pass_are_drafted_where_nothing_else_is_known() -> None:
    experience = Experience(successors=SuccessorTable())
    first = TreeDrafter([], FixedBudget(8), experience=experience)
    first.observe(first.draft([5], 0, None), Verdict([], [7], 1, 1.0, lambda n: [[7, 8][:n]]))
    tree = first.draft([5, 7, 5], 0, None)
    assert list(tree.tokens[:2]) == [7, 8]
    assert tree.sources[0] == "successors"
    assert tree.evidence[0].traits == SUCCESSOR


@pytest.mark.parametrize("budget", [FixedBudget(8), MeasuredBudget(COST, max_nodes=8)], ids=["looks", "reads text"])
def test_successors_of_another_request_are_not_drafted(budget: Budget) -> None:
    experience = Experience(successors=SuccessorTable())
    first = TreeDrafter([], budget, experience=experience)
    first.observe(first.draft([5], 0, None), Verdict([], [7, 9], 1, 1.0, lambda n: [[7, 8][:n], [9, 6][:n]]))
    assert first.draft([5, 7, 9, 5], 0, None).tokens[0] == 7
    second = TreeDrafter([], FixedBudget(8), experience=experience)
    for last in (5, 7):
        assert not second.draft([last], 0, None)


def test_imports_are_read_from_unfinished_text() -> None:
    text = (
        "import os.path as p\nfrom . import cli\nfrom ..core import (\n    run,\n    stop\n)\nfrom flask import (\nx ="
    )
    assert imported_modules(text, "src/pkg/sub/a.py") == {
        "os/path", "src/pkg/sub", "src/pkg/sub/cli", "src/pkg/core", "src/pkg/core/run", "src/pkg/core/stop",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "traits"),
    [
        ("src/flask/helpers.py", IMPORTED),
        ("src/flask/json/__init__.py", IMPORTED),
        ("src/flask/other.py", 0),
        ("tests/conftest.py", NEIGHBOUR),
        ("src/flask/app.py", NEIGHBOUR),
        ("docs/open.py", OPEN),
    ],
)
def test_other_files_are_more_or_less_near(path: str, traits: int) -> None:
    text = "from flask.helpers import x\nimport flask.json\n"
    affinity = Affinity("tests/test_app.py", text, open_paths={"docs/open.py"})
    assert affinity.traits(path) == REPOSITORY | traits
