"""One known text as a draft source, read along with what is written: a completion that is being typed through, or text
that was deleted and is written anew.  Where the two part, it looks for the place where they meet again.
"""

from __future__ import annotations

from collections.abc import Sequence

from rest_lsp.drafting.source import NOWHERE, Occurrence, Proposal, rows_of

DEPTH = 24
CERTAIN = 16
"""Tokens of agreement that a text begins with which was written for this very place."""

_WINDOW = 96
"""How far ahead of where it was lost, and half as far behind, the reader looks."""

_LEAST_AGREEMENT = 2


class ScriptSource:
    """Reads `script` along with what the context grows by beyond `n_known` tokens; made for one request.

    agreed  how many tokens are taken to agree at the beginning; 0 when the place has yet to be found
    """

    def __init__(self, name: str, traits: int, script: Sequence[int], *, n_known: int, agreed: int) -> None:
        self.name = name
        self._traits, self._script, self._n_known, self._agreed = traits, list(script), n_known, agreed

    def propose(self, context: Sequence[int], depth: int) -> Proposal:
        at, agreed = 0, self._agreed
        for n in range(self._n_known, len(context)):
            if at < len(self._script) and self._script[at] == context[n] and agreed:
                at, agreed = at + 1, agreed + 1
            else:
                at, agreed = self._found_again(context[: n + 1], at)
        if not agreed and len(context) == self._n_known:
            at, agreed = self._found_again(context, at)
        tokens = tuple(self._script[at : at + max(depth, DEPTH)]) if agreed else ()
        found = [Occurrence(min(agreed, CERTAIN), tokens, 1.0, NOWHERE)] if tokens else []
        return Proposal(self.name, rows_of(found, self._traits))

    def _found_again(self, context: Sequence[int], lost_at: int) -> tuple[int, int]:
        """The place behind the longest agreement with the context, and its length; (lost_at, 0) where there is none."""
        best, longest = lost_at, 0
        for at in range(max(1, lost_at - _WINDOW // 2), min(len(self._script), lost_at + _WINDOW) + 1):
            length = 0
            while length < min(at, len(context), CERTAIN) and self._script[at - 1 - length] == context[-1 - length]:
                length += 1
            if length > longest:
                best, longest = at, length
        return (best, longest) if longest >= _LEAST_AGREEMENT else (lost_at, 0)
