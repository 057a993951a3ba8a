"""The last completions as text, for a draft source: what was suggested once is often wanted again, or goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

KEPT = 16
PREFIX_TAIL = 200
"""Characters of the text before a completion: enough for a match of 16 tokens."""


class Recent(NamedTuple):
    """One completion: `text` stood behind `prefix_tail`, with "\\n" as line end, in the document `path`."""

    path: str | None
    prefix_tail: str
    text: str


class RecentCompletions:
    """The newest completions.  Used in the engine's thread only."""

    def __init__(self, kept: int = KEPT) -> None:
        self._recent: deque[Recent] = deque(maxlen=kept)

    def add(self, path: str | None, before: str, text: str) -> None:
        """Remember a completion of the text `before`; one that is there already becomes the newest."""
        recent = Recent(path, before[-PREFIX_TAIL:], text)
        if recent in self._recent:
            self._recent.remove(recent)
        self._recent.appendleft(recent)

    def texts(self) -> Sequence[Recent]:
        """The newest first.  A completion is the same object as long as it is remembered."""
        return tuple(self._recent)

    def clear(self) -> None:
        self._recent.clear()
