"""How likely the model is to write a proposed token, from how it was found.  Pure arithmetic, fitted offline.

A logistic model of a few features, fitted to what a model really wrote (see `PRIOR`).  It takes the place of counting
alone, which is overconfident: one match of one token is a share of 100 % and right one time in five.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple


class Evidence(NamedTuple):
    """What is known of one token as the next one at a node of the tree.

    length        tokens of context, the path down to the node included, that agree at its best occurrence
    best_length   the same for the best occurrence of any token here
    share         its share of the occurrences that agree on at least `length` tokens
    blended       its share of all occurrences, each counted 2**length times
    support       how many occurrences agree on at least `length` tokens and continue with it
    nearby        whether the live document knows it
    healed        whether it must agree with typed text
    depth         of the token in the tree, from 1
    """

    length: int
    best_length: int
    share: float
    blended: float
    support: float
    nearby: bool
    healed: bool
    depth: int


@dataclass(frozen=True)
class Confidence:
    """Weights of the logistic model."""

    bias: float
    log_length: float
    gap: float
    share: float
    blended: float
    log_support: float
    nearby: float
    healed: float
    first: float

    def probability(self, e: Evidence) -> float:
        """Chance that the model writes the token, given that it wrote the path to it."""
        return 1.0 / (1.0 + math.exp(-self.score(e)))

    def score(self, e: Evidence) -> float:
        """Log-odds."""
        return (
            self.bias
            + self.log_length * _LOG2[min(e.length, _LONGEST)]
            + self.gap * min(e.best_length - e.length, _WIDEST_GAP)
            + self.share * e.share
            + self.blended * e.blended
            + self.log_support * math.log2(1.0 + min(e.support, _MOST_COUNTED))
            + self.nearby * e.nearby
            + self.healed * e.healed
            + self.first * (e.depth == 1)
        )


_LONGEST = 24
_WIDEST_GAP = 8
_MOST_COUNTED = 64.0
_LOG2 = [0.0, *(math.log2(n) for n in range(1, _LONGEST + 1))]

PRIOR = Confidence(
    bias=-3.2, log_length=0.8, gap=-0.1, share=1.0, blended=2.2, log_support=0.05, nearby=0.2, healed=1.0, first=0.0
)
