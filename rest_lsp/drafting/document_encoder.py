"""Token ids of a whole document at every keystroke, of which only what changed is encoded again.

The text is divided where a line begins without indentation after a blank line, so an edit moves none but its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

MAX_CHARACTERS = 1 << 17
"""Searched on each side of the cursor: about 30,000 tokens, more than most files have."""

_DIVISION = re.compile(r"(?<=\n\n)(?=\S)")
_REMEMBERED_PARTS = 4096


class DocumentEncoder:
    """Remembers the parts it encoded, of any document."""

    def __init__(self, encode: Callable[[str], Sequence[int]]) -> None:
        self._encode_part = lru_cache(maxsize=_REMEMBERED_PARTS)(lambda part: tuple(encode(part)))

    def encode(self, text: str) -> list[int]:
        """Ids of the whole of `text`."""
        return [token for part in _DIVISION.split(text) if part for token in self._encode_part(part)]

    def before(self, text: str) -> list[int]:
        """Ids of the last part of `text`."""
        return self.encode(text[-MAX_CHARACTERS:])

    def first_line(self, text: str) -> int:
        """Lines of `text` that `before` leaves out."""
        return text.count("\n", 0, max(0, len(text) - MAX_CHARACTERS))

    def after(self, text: str) -> list[int]:
        """Ids of the first part of `text`."""
        return self.encode(text[:MAX_CHARACTERS])
