"""Drafts that are always wrong: what they cost in the long run, on the clock of the measured costs."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from rest_lsp.drafting.calibration import Calibration
from rest_lsp.drafting.cost_model import StepCost
from rest_lsp.drafting.drafter import Verdict
from rest_lsp.drafting.measured_budget import MeasuredBudget
from rest_lsp.drafting.source import NOWHERE, Occurrence, Proposal, rows_of
from rest_lsp.drafting.successors import SuccessorTable
from rest_lsp.drafting.traits import BEFORE, CLOSE, REPOSITORY
from rest_lsp.drafting.tree_drafter import Experience, TreeDrafter

VOCABULARY = 5000
NEVER_WRITTEN = range(VOCABULARY, VOCABULARY + 500)
PAST, PASSES = 300, 40
ON_A_CPU = [(1, 25.0), (2, 27.0), (4, 31.0), (8, 40.0), (16, 58.0), (65, 190.0)]
ON_A_GPU = [(1, 10.0), (16, 10.4), (65, 11.5)]
"""Milliseconds by tokens of a pass."""


class Misled:
    """Finds long matches wherever it is asked, none of which goes on as the model does."""

    def __init__(self, name: str, traits: int, draw: random.Random) -> None:
        self.name, self._traits, self._draw = name, traits, draw

    def propose(self, context: Sequence[int], depth: int) -> Proposal:
        found = [
            Occurrence(self._draw.randrange(2, 17), tuple(self._draw.choices(NEVER_WRITTEN, k=depth)), 1.0, NOWHERE)
            for _ in range(4)
        ]
        return Proposal(self.name, rows_of(found, self._traits))


def overheads(points: Sequence[tuple[int, float]], n_requests: int) -> list[float]:
    """By how much each of these requests takes longer than without drafts, as a share."""
    draw = random.Random(5)
    cost = StepCost({PAST: points})
    budget = MeasuredBudget(cost, max_nodes=64)
    experience = Experience(calibration=Calibration(), successors=SuccessorTable())
    sources = (Misled("document", BEFORE | CLOSE, draw), Misled("repository", REPOSITORY, draw))
    found = []
    for _ in range(n_requests):
        drafter, took = TreeDrafter(sources, budget, experience=experience), 0.0
        for _ in range(PASSES):
            tree = drafter.draft([1, 2, 3], PAST, None)
            ms = cost.ms(1 + len(tree), PAST)
            written = draw.randrange(VOCABULARY)
            drafter.observe(tree, Verdict([], [written], 1 + len(tree), ms, lambda n: [[0] * n]))
            took += ms
        found.append(took / (PASSES * cost.ms(1, PAST)) - 1.0)
    return found


@pytest.mark.parametrize(("points", "most"), [(ON_A_CPU, 0.035), (ON_A_GPU, 0.025)], ids=["cpu", "gpu"])
def test_drafts_that_are_never_right_cost_little_from_the_start_and_less_later(
    points: list[tuple[int, float]], most: float
) -> None:
    found = overheads(points, 100)
    assert max(found) < 0.15
    assert sum(found[-20:]) / 20 < most
