"""Replays what a model wrote through the draft sources, without the model: how often is a guess right?

Knows sources and their proposals.  Its rows are what path probabilities are fitted to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from rest_lsp.drafting.confidence import Evidence
from rest_lsp.drafting.expansion import NO_SUCCESSORS, candidates, gather
from rest_lsp.drafting.growth import Ints
from rest_lsp.drafting.source import DraftSource, Proposal
from rest_lsp.drafting.successors import SuccessorTable

DEPTH = 8


class Guess(NamedTuple):
    """One node that the sources propose below a path that was right so far, and whether it is right as well.

    depth   0 for the token right behind the context
    """

    evidence: Evidence
    depth: int
    hit: bool


def replay(
    sources: Sequence[DraftSource],
    context: Sequence[int],
    written: Sequence[int],
    successors: SuccessorTable | None = None,
    *,
    begin: int = 0,
    depth: int = DEPTH,
) -> Iterator[Guess]:
    """Every guess at every place of what was `written` behind `context`, from token `begin` on; `successors` learn it
    as they would have."""
    for index, token in enumerate(written):
        known = [*context, *written[:index]]
        last = known[-1] if known else -1
        if index >= begin:
            proposals = [source.propose(known, depth) for source in sources]
            following = successors.rows if successors else NO_SUCCESSORS
            yield from guesses(proposals, last, written[index : index + depth], following)
        if successors:
            successors.remember(last, [token])


def guesses(
    proposals: Iterable[Proposal], last: int, truth: Sequence[int], successors: Ints = NO_SUCCESSORS
) -> Iterator[Guess]:
    """Follow `truth` through the proposals, and at each depth look at all tokens that they propose."""
    levels = candidates(gather(proposals), last, truth, successors)
    for depth, (token, proposed) in enumerate(zip(truth, levels, strict=False)):
        yield from (Guess(candidate.evidence, depth, candidate.token == token) for candidate in proposed)
