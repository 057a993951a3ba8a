"""What a draft source is: it remembers text and says what followed the same tokens before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from rest_lsp.datastore.occurrence import Occurrence, Origin

__all__ = ["DraftSource", "Occurrence", "Origin", "Proposal"]


class Proposal(NamedTuple):
    """Occurrences of the context in one source, longest match first."""

    source: str
    occurrences: Sequence[Occurrence]


class DraftSource(Protocol):
    """Remembers token ids.  Called once per forward pass, so it must answer in well under a millisecond."""

    name: str

    def propose(self, context: Sequence[int], depth: int) -> Proposal:
        """What followed earlier occurrences of the end of `context`, up to `depth` tokens each.

        Does not modify the source.  The same context gives the same proposal.
        """
        ...
