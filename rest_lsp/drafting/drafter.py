"""What the decode loop asks of a drafter.  `NoDrafter` turns the same loop into plain decoding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from rest_lsp.drafting.tree import EMPTY_TREE, DraftTree
from rest_lsp.healing import Healing


class Verdict(NamedTuple):
    """What a forward pass made of a tree.

    accepted   nodes from the first level down
    tokens     their tokens and then the model's own pick
    n_rows     tokens that went through the model: the root, the tree, and what the prompt left to the first pass
    verify_ms  how long it took
    likeliest  (n) -> for each of `tokens`, the `n` likeliest tokens where it was picked; costs time of its own
    """

    accepted: Sequence[int]
    tokens: Sequence[int]
    n_rows: int
    verify_ms: float
    likeliest: Callable[[int], Sequence[Sequence[int]]]


class Drafter(Protocol):
    """Guesses tokens; free to be wrong, since the model verifies.  One per request, used from one thread."""

    def draft(self, context: Sequence[int], past: int, healing: Healing | None) -> DraftTree:
        """A tree behind the last token of `context`, possibly empty; `past` tokens are in the KV cache.

        With `healing` the first tokens must reproduce typed text; other guesses would be wasted.
        """
        ...

    def observe(self, tree: DraftTree, verdict: Verdict) -> None:
        """Learn what became of the last draft."""
        ...


class NoDrafter:
    """Plain decoding."""

    def draft(self, context: Sequence[int], past: int, healing: Healing | None) -> DraftTree:
        return EMPTY_TREE

    def observe(self, tree: DraftTree, verdict: Verdict) -> None:
        pass
