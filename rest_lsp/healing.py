"""Token healing: the next tokens must first reproduce text that is already typed.  Knows nothing about prompts.

The cursor may cut a token in two ("(se" of "(self").  The prompt then ends before that token and the typed bytes become
`pending`: a pick is limited to tokens that agree with them, until they are used up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rest_lsp.tokenizer import SortedVocabulary


@dataclass(frozen=True, slots=True)
class Healing:
    """Typed bytes that are still to be reproduced; never none, since with nothing pending there is no Healing."""

    pending: bytes
    vocabulary: SortedVocabulary

    def __post_init__(self) -> None:
        if not self.pending:
            raise ValueError("Healing needs at least one pending byte; use None when nothing is pending.")

    def allows(self, token: int) -> bool:
        """Whether `token` spells a part of the pending bytes, or all of them and possibly more."""
        spelling = self.vocabulary.token_bytes(token)
        return bool(spelling) and (spelling.startswith(self.pending) or self.pending.startswith(spelling))

    def allowed(self) -> npt.NDArray[np.int64]:
        """The ids that `allows` accepts, ascending.  Never empty: every byte is a token.  Do not modify."""
        return self.vocabulary.agreeing_with(self.pending)

    def advance(self, token: int) -> Healing | None:
        """What is pending after `token` was picked; None when nothing is.  Raises ValueError if not allowed."""
        if not self.allows(token):
            raise ValueError(f"Token {token} does not agree with the pending bytes {self.pending!r}.")
        rest = self.pending[len(self.vocabulary.token_bytes(token)) :]
        return Healing(rest, self.vocabulary) if rest else None
