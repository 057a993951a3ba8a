"""What a draft source is: it remembers text and says what followed the same tokens before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from rest_lsp.datastore.occurrence import Occurrence, Origin

__all__ = ["NOWHERE", "DraftSource", "Occurrence", "Origin", "Proposal"]

NOWHERE = Origin("", 0)
"""The origin of a guess that was read in no document."""


class Proposal(NamedTuple):
    """Occurrences of the context in one source, and for each what is known of its place (bits of `traits`)."""

    source: str
    occurrences: Sequence[Occurrence]
    traits: Sequence[int]


class DraftSource(Protocol):
    """Remembers token ids.  Called once per forward pass, so it must answer in well under a millisecond."""

    @property
    def name(self) -> str: ...

    def propose(self, context: Sequence[int], depth: int) -> Proposal:
        """What followed earlier occurrences of the end of `context`, up to `depth` tokens each, or more when sure.

        Does not modify the source.  The same context gives the same proposal.
        """
        ...
