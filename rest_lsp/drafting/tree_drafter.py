"""The drafter: asks every source, merges what they know into one tree, and cuts it to what is worth verifying."""

from __future__ import annotations

from collections.abc import Sequence

from rest_lsp.drafting.confidence import PRIOR, Confidence
from rest_lsp.drafting.cost_model import Budget
from rest_lsp.drafting.document_source import DocumentSource
from rest_lsp.drafting.expansion import NOWHERE, TYPED, Limits, expand
from rest_lsp.drafting.source import DraftSource, Occurrence, Proposal
from rest_lsp.drafting.tree import DraftTree
from rest_lsp.drafting.trust import Trust
from rest_lsp.healing import Healing

MAX_DEPTH = 8
"""A long sure chain that fails at its first token is the costliest mistake there is; REST takes 10 (its §4.1)."""

NEARBY = frozenset({DocumentSource.name})


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
        confidence: Confidence = PRIOR,
        max_depth: int = MAX_DEPTH,
    ) -> None:
        self._sources, self._budget, self._confidence = sources, budget, confidence
        self._spelling, self._max_depth = tuple(spelling), max_depth
        self._trust = Trust()
        self._n_known: int | None = None

    def draft(self, context: Sequence[int], past: int, healing: Healing | None) -> DraftTree:
        if self._n_known is None:
            self._n_known = len(context)
        limits = Limits(self._budget.max_nodes(), self._budget.min_probability(past), self._max_depth)
        proposals = [source.propose(context, self._max_depth) for source in self._sources]
        if healing is not None:
            proposals += self._spelled(context)
        confidence = self._confidence.shifted(self._trust.log_odds)
        tree = expand(proposals, nearby=NEARBY, healing=healing, confidence=confidence, limits=limits)
        return self._budget.cut(tree, past)

    def observe(self, tree: DraftTree, accepted: Sequence[int]) -> None:
        if len(tree):
            self._trust.observe(sum(tree.path_probability), len(accepted))

    def _spelled(self, context: Sequence[int]) -> list[Proposal]:
        """The typed tokens that are left, each source's continuations behind them, and they alone."""
        left = self._spelling[len(context) - (self._n_known or 0) :]
        if not left:
            return []
        alone = Occurrence(len(left), left, 1.0, NOWHERE)
        typed = [Proposal(TYPED, [alone])]
        for source in self._sources:
            name, found = source.propose([*context, *left], self._max_depth)
            typed.append(Proposal(name, [_moved(o, left) for o in found if o.length > len(left)]))
        return typed


def _moved(occurrence: Occurrence, typed: tuple[int, ...]) -> Occurrence:
    """The same place, begun `typed` tokens earlier."""
    length, tokens, weight, origin = occurrence
    return Occurrence(length - len(typed), typed + tokens, weight, origin._replace(offset=origin.offset - len(typed)))
