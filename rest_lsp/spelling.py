"""What was probably meant by a word that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, words: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """The most similar of `words`, None when nothing reaches `likeness` (0 to 1)."""
    found = get_close_matches(word, list(words), n=1, cutoff=likeness)
    return found[0] if found else None
