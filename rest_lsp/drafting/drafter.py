"""What the decode loop asks of a drafter.  `NoDrafter` turns the same loop into plain decoding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rest_lsp.drafting.tree import EMPTY_TREE, DraftTree
from rest_lsp.healing import Healing


class Drafter(Protocol):
    """Guesses tokens; free to be wrong, since the model verifies.  One per request, used from one thread."""

    def draft(self, context: Sequence[int], past: int, healing: Healing | None) -> DraftTree:
        """A tree behind the last token of `context`, possibly empty; `past` tokens are in the KV cache.

        With `healing` the first tokens must reproduce typed text; other guesses would be wasted.
        """
        ...

    def observe(self, tree: DraftTree, accepted: Sequence[int]) -> None:
        """Learn which nodes of the tree the model accepted."""
        ...


class NoDrafter:
    """Plain decoding."""

    def draft(self, context: Sequence[int], past: int, healing: Healing | None) -> DraftTree:
        return EMPTY_TREE

    def observe(self, tree: DraftTree, accepted: Sequence[int]) -> None:
        pass
