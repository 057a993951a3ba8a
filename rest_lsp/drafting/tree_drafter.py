"""The drafter: asks every source, merges what they know into one tree, and cuts it to what is worth verifying."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rest_lsp.datastore.occurrence import LENGTH, N_TOKENS, OFFSET, TOKENS
from rest_lsp.drafting.calibration import UNCALIBRATED, Calibration
from rest_lsp.drafting.confidence import Confidence
from rest_lsp.drafting.cost_model import Budget
from rest_lsp.drafting.drafter import Verdict
from rest_lsp.drafting.expansion import NO_SUCCESSORS, Limits, expand, gather
from rest_lsp.drafting.growth import Opinion
from rest_lsp.drafting.script_source import DEPTH
from rest_lsp.drafting.source import NOWHERE, DraftSource, Occurrence, Proposal, Rows, rows_of
from rest_lsp.drafting.successors import WIDTH, WORTH_LOOKING, SuccessorTable
from rest_lsp.drafting.traits import TYPED
from rest_lsp.drafting.tree import EMPTY_TREE, ROOT, DraftTree
from rest_lsp.drafting.trust import Trust
from rest_lsp.healing import Healing

MAX_DEPTH = 10
"""As many tokens of an occurrence are read, as in REST (arXiv 2311.08252 §4.1)."""

SPELLING = "typed"
"""The source that spells out typed text."""


@dataclass
class Experience:
    """What drafters learn and hand on from request to request, None where it is not to be learnt; `cools_down` within
    one."""

    confidence: Confidence = field(default_factory=Confidence.prior)
    calibration: Calibration | None = None
    successors: SuccessorTable | None = None
    cools_down: bool = True

    def forget(self) -> None:
        """Begin as on the first day."""
        if self.calibration:
            self.calibration = Calibration()
        if self.successors:
            self.successors = SuccessorTable()


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
        self._grown = EMPTY_TREE
        self._past, self._last = 0, ROOT

    def draft(self, context: Sequence[int], past: int, healing: Healing | None) -> DraftTree:
        if self._n_known is None:
            self._n_known = len(context)
        self._past, self._last = past, context[-1] if context else ROOT
        limits = Limits(self._budget.max_nodes(), self._budget.min_probability(past), DEPTH)
        proposals = [source.propose(context, MAX_DEPTH) for source in self._sources]
        if healing is not None:
            proposals += self._spelled(context)
        successors = self._experience.successors
        self._grown = expand(
            gather(proposals),
            self._last,
            healing=healing,
            opinion=self._opinion(),
            limits=limits,
            successors=successors.rows if successors else NO_SUCCESSORS,
        )
        return self._budget.cut(self._grown, past)

    def observe(self, tree: DraftTree, verdict: Verdict) -> None:
        """Also guesses that were not verified are compared with what the model wrote: they cost nothing."""
        self._budget.observe(verdict.n_rows, self._past, verdict.verify_ms)
        if self._trust and len(tree):
            self._trust.observe(sum(tree.path_probability), len(verdict.accepted))
        if self._experience.calibration:
            self._calibrate(self._experience.calibration, verdict.tokens)
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

    def _calibrate(self, calibration: Calibration, tokens: Sequence[int]) -> None:
        tree, node = self._grown, ROOT
        evidence, above = list(tree.evidence), 1.0
        for depth, token in enumerate(tokens):
            children = tree.children[node + 1]
            for guess, child in children.items():
                promised = tree.path_probability[child] / above
                calibration.observe(calibration.cell(evidence[child], depth), promised, guess == token)
            if token not in children:
                return
            node = children[token]
            above = tree.path_probability[node]

    def _remember(self, successors: SuccessorTable, verdict: Verdict) -> None:
        before = [self._last, *verdict.tokens]
        looks = self._budget.price(self._past) < WORTH_LOOKING
        likeliest = verdict.likeliest(WIDTH) if looks else [(token,) for token in verdict.tokens]
        for token, following in zip(before, likeliest, strict=False):
            successors.remember(token, following)

    def _spelled(self, context: Sequence[int]) -> list[Proposal]:
        """The typed tokens that are left, each source's continuations behind them, and they alone."""
        left = self._spelling[len(context) - (self._n_known or 0) :]
        if not left:
            return []
        alone = Occurrence(len(left), left, 1.0, NOWHERE)
        typed = [Proposal(SPELLING, rows_of([alone], TYPED))]
        for source in self._sources:
            name, rows = source.propose([*context, *left], MAX_DEPTH)
            typed.append(Proposal(name, _moved(rows, left)))
        return typed


def _moved(rows: Rows, typed: tuple[int, ...]) -> Rows:
    """The places that agree with more than `typed`, begun as many tokens earlier."""
    chosen = np.flatnonzero(rows.ints[:, LENGTH] > len(typed))
    ints = np.empty((len(chosen), rows.ints.shape[1] + len(typed)), np.int32)
    ints[:, :TOKENS] = rows.ints[chosen, :TOKENS]
    ints[:, TOKENS : TOKENS + len(typed)] = typed
    ints[:, TOKENS + len(typed) :] = rows.ints[chosen, TOKENS:]
    ints[:, LENGTH] -= len(typed)
    ints[:, N_TOKENS] += len(typed)
    ints[ints[:, OFFSET] != NOWHERE.offset, OFFSET] -= len(typed)
    paths, versions = [rows.paths[at] for at in chosen.tolist()], [rows.versions[at] for at in chosen.tolist()]
    return Rows(ints, rows.weights[chosen], paths, versions)
