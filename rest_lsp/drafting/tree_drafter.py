"""The drafter: asks every source, merges what they know into one tree, and cuts it to what is worth verifying."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rest_lsp.compiling import kernel
from rest_lsp.datastore.occurrence import LENGTH, N_TOKENS, OFFSET, TOKENS
from rest_lsp.drafting import datastore_source
from rest_lsp.drafting.calibration import UNCALIBRATED, Calibration
from rest_lsp.drafting.confidence import Confidence
from rest_lsp.drafting.cost_model import Budget, FixedBudget
from rest_lsp.drafting.document_source import DocumentSource
from rest_lsp.drafting.drafter import Verdict
from rest_lsp.drafting.expansion import NO_SUCCESSORS, NOTHING_GROWN, Limits, expand, gather
from rest_lsp.drafting.growth import Floats, Ints, Opinion
from rest_lsp.drafting.recent_source import RecentSource
from rest_lsp.drafting.script_source import DEPTH
from rest_lsp.drafting.source import NO_ROWS, NOWHERE, DraftSource, Occurrence, Proposal, Rows, rows_of
from rest_lsp.drafting.successors import WIDTH, WORTH_LOOKING, SuccessorTable
from rest_lsp.drafting.traits import TYPED
from rest_lsp.drafting.tree import ROOT, DraftTree
from rest_lsp.drafting.trust import Trust
from rest_lsp.healing import Healing

MAX_DEPTH = 10
"""As many tokens of an occurrence are read, as in REST (arXiv 2311.08252 §4.1)."""

SPELLING = "typed"
"""The source that spells out typed text."""

_NOWHERE = NOWHERE.offset


@dataclass
class Experience:
    """What drafters learn, None where it is not to be learnt.

    Calibration is handed on from request to request; successors are of one, and so is what `cools_down`.
    """

    confidence: Confidence = field(default_factory=Confidence.prior)
    calibration: Calibration | None = None
    successors: SuccessorTable | None = None
    cools_down: bool = True

    def forget(self) -> None:
        """Begin as on the first day."""
        if self.calibration:
            self.calibration = Calibration()


class TreeDrafter:
    """One per request.

    `spelling` are the tokens that the typed text behind the context has by itself; while it is healed, they are
    proposed too, followed by what the sources know behind them.
    """

    def __init__(
        self,
        sources: Sequence[DraftSource],
        budget: Budget,
        *,
        spelling: Sequence[int] = (),
        experience: Experience | None = None,
    ) -> None:
        self._sources, self._budget, self._spelling = sources, budget, tuple(spelling)
        self._experience = experience or Experience()
        self._trust = Trust() if self._experience.cools_down else None
        self._n_known: int | None = None
        self._grown = NOTHING_GROWN
        self._past, self._last = 0, ROOT

    def draft(self, context: Sequence[int], past: int, healing: Healing | None) -> DraftTree:
        successors = self._experience.successors
        if self._n_known is None:
            self._n_known = len(context)
            if successors:
                successors.clear()
        self._past, self._last = past, context[-1] if context else ROOT
        limits = Limits(self._budget.max_nodes(), self._budget.min_probability(past), DEPTH)
        proposals = [source.propose(context, MAX_DEPTH) for source in self._sources]
        if healing is not None:
            proposals += self._spelled(context)
        self._grown = expand(
            gather(proposals),
            self._last,
            healing=healing,
            opinion=self._opinion(),
            limits=limits,
            successors=successors.rows if successors else NO_SUCCESSORS,
        )
        return self._budget.cut(self._grown.tree, past)

    def observe(self, tree: DraftTree, verdict: Verdict) -> None:
        """Also guesses that were not verified are compared with what the model wrote: they cost nothing."""
        self._budget.observe(verdict.n_rows, self._past, verdict.verify_ms)
        if self._trust and len(tree):
            self._trust.observe(sum(tree.path_probability), len(verdict.accepted))
        if self._experience.calibration:
            _, ints, floats = self._grown
            self._experience.calibration.observe_tree(ints, floats, np.array(verdict.tokens, np.int32))
        if self._experience.successors:
            self._remember(self._experience.successors, verdict)

    def _opinion(self) -> Opinion:
        """What is known now of how far guesses are right."""
        calibration = self._experience.calibration
        return Opinion(
            self._experience.confidence.values,
            self._trust.log_odds if self._trust else 0.0,
            calibration.shifts if calibration else UNCALIBRATED,
        )

    def _remember(self, successors: SuccessorTable, verdict: Verdict) -> None:
        before = [self._last, *verdict.tokens]
        if self._budget.price(self._past) >= WORTH_LOOKING:
            successors.remember_text(before)
            return
        for token, following in zip(before, verdict.likeliest(WIDTH), strict=False):
            successors.remember(token, following)

    def _spelled(self, context: Sequence[int]) -> list[Proposal]:
        """The typed tokens that are left, each source's continuations behind them, and they alone."""
        left = self._spelling[len(context) - (self._n_known or 0) :]
        if not left:
            return []
        alone = Occurrence(len(left), left, 1.0, NOWHERE)
        typed = [Proposal(SPELLING, rows_of([alone], TYPED))]
        for source in self._sources:
            name, (ints, weights, paths, versions) = source.propose([*context, *left], MAX_DEPTH)
            typed.append(Proposal(name, Rows(*_moved(ints, weights, np.array(left, np.int32)), paths, versions)))
        return typed


@kernel
def _moved(ints: Ints, weights: Floats, typed: Ints) -> tuple[Ints, Floats]:
    """The places that agree with more than `typed`, begun as many tokens earlier."""
    n_typed, n_known = len(typed), 0
    moved = np.empty((len(ints), ints.shape[1] + n_typed), np.int32)
    kept = np.empty(len(ints), np.float64)
    for row in range(len(ints)):
        if ints[row, LENGTH] <= n_typed:
            continue
        place = moved[n_known]
        place[:TOKENS] = ints[row, :TOKENS]
        place[TOKENS : TOKENS + n_typed] = typed
        place[TOKENS + n_typed :] = ints[row, TOKENS:]
        place[LENGTH] -= n_typed
        place[N_TOKENS] += n_typed
        if place[OFFSET] != _NOWHERE:
            place[OFFSET] -= n_typed
        kept[n_known] = weights[row]
        n_known += 1
    return moved[:n_known], kept[:n_known]


def compile_ahead() -> None:
    """Compile what a draft runs, or read it from where it is kept: some seconds once, so that no draft waits for it."""
    experience = Experience(calibration=Calibration(), successors=SuccessorTable())
    sources = (RecentSource([[0, 0]]), DocumentSource("", [0, 0], [], n_known=2))
    drafter = TreeDrafter(sources, FixedBudget(1), experience=experience)
    drafter.observe(drafter.draft([0, 0], 0, None), Verdict([], [0], 1, 1.0, lambda n: [[0] * n]))
    SuccessorTable().remember_text([0, 0])
    _moved(NO_ROWS.ints, NO_ROWS.weights, np.zeros(1, np.int32))
    datastore_source.compile_ahead()
