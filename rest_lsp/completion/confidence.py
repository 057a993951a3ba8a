"""How sure the model is of what it wrote, and how sure it must be before that is shown unasked.

Nobody is interrupted by a guess: below a threshold nothing is shown while somebody types.  Whoever asks by key gets it.
`tests/recorded/thresholds.py` prints what each threshold costs and saves, and says how the defaults were chosen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum

from rest_lsp.completion.provenance import surviving_tokens
from rest_lsp.completion.request import Trigger
from rest_lsp.completion.snapshot import Snapshot
from rest_lsp.config import CompletionOptions
from rest_lsp.syntax.parsed import Scope


class Occasion(Enum):
    """Why a suggestion is made; each has a threshold of its own."""

    INVOKED = "invoked"
    TEXT = "text"
    BLOCK = "block"
    WORD = "word"
    CODE = "code"


def occasion_of(snapshot: Snapshot, trigger: Trigger, *, multiline: bool) -> Occasion:
    """By key; else in a comment or string, several lines, behind a part of a word, or anywhere else in a line."""
    if trigger is Trigger.INVOKED:
        return Occasion.INVOKED
    if snapshot.scope is not Scope.CODE:
        return Occasion.TEXT
    if multiline:
        return Occasion.BLOCK
    last = snapshot.line_before[-1:]
    return Occasion.WORD if last.isalnum() or last == "_" else Occasion.CODE


def least_confidence(occasion: Occasion, options: CompletionOptions) -> float:
    """What `confidence` must be for a suggestion to be shown."""
    return {
        Occasion.INVOKED: options.min_confidence_invoked,
        Occasion.TEXT: options.min_confidence_text,
        Occasion.BLOCK: options.min_confidence_block,
        Occasion.WORD: options.min_confidence_word,
        Occasion.CODE: options.min_confidence_code,
    }[occasion]


def confidence(log_probs: Sequence[float], starts: Sequence[int], written: str, shown: str) -> float:
    """The geometric mean of the probabilities of the tokens that are `shown`; 0 when none is.

    `starts[i]` is where token i begins in `written`; `shown` lacks blanks and some of the end.
    """
    kept = surviving_tokens(starts, written, shown)
    return math.exp(sum(log_probs[index] for index in kept) / len(kept)) if kept else 0.0
