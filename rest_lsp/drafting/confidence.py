"""How likely the model is to write a proposed token, from how it was found.  Pure arithmetic, fitted offline.

A logistic model of a few features takes the place of counting alone, which is overconfident: one match of one token is
a share of 100 %, and wrong most of the time.  The weights are data, see `prior.json`; `rest-lsp bench calibrate` fits
them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rest_lsp.drafting.growth import LONGEST, WIDEST_GAP, log_odds
from rest_lsp.drafting.traits import NAMES, SUCCESSOR, n_witnesses


class Evidence(NamedTuple):
    """What is known of one token as the next one at a node of the tree.

    length   tokens of context, the path down to the node included, that agree at its best occurrence; 0 without any
    gap      how many fewer these are than at the best occurrence of any token here
    share    its share of the occurrences that agree on at least `length` tokens
    blended  its share of all occurrences, each counted 2**length times
    traits   bits of `traits`, of all its occurrences together
    """

    length: int
    gap: int
    share: float
    blended: float
    traits: int


FEATURES = ("bias", "gap", "share", "blended", "blended_length", "expected", "agreed", *NAMES)
"""Names of the weights, in the order of `features`."""

PRIOR_FILE = Path(__file__).with_name("prior.json")

_LOG2 = [0.0, *(math.log2(n) for n in range(1, LONGEST + 1))]


def features(evidence: Evidence) -> list[float]:
    """What the weights are multiplied with.

    `expected` is the share of a token that the model itself put first here before: the two say much the same.
    """
    length, gap, share, blended, traits = evidence
    log_length = _LOG2[min(length, LONGEST)]
    return [
        1.0,
        float(min(gap, WIDEST_GAP)),
        share,
        blended,
        blended * log_length,
        share * float(bool(traits & SUCCESSOR)),
        float(n_witnesses(traits) > 1),
        *(float(traits >> bit & 1) for bit in range(len(NAMES))),
    ]


class Confidence:
    """Weights of the logistic model; immutable."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        """A feature that is not named weighs nothing."""
        self.weights = {name: float(weights.get(name, 0.0)) for name in FEATURES}
        self.values = np.array([self.weights[name] for name in FEATURES])

    @classmethod
    def prior(cls) -> Confidence:
        """The weights that were fitted offline."""
        return _prior()

    def log_odds(self, evidence: Evidence) -> float:
        """How sure it is that the model writes the token, given that it wrote the path to it."""
        return log_odds(self.values, *evidence)


@cache
def _prior() -> Confidence:
    return Confidence(json.loads(PRIOR_FILE.read_text(encoding="utf-8"))["weights"])
