"""The last completions as text, for a draft source: what the model wrote once it often writes again."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

KEPT = 16
PREFIX_TAIL = 200
"""Characters of the text before a completion: enough for a match of 16 tokens."""

MAX_CHARACTERS = 1000
"""About the longest completion; no text grows beyond it by going on and on."""


class Recent(NamedTuple):
    """One completion: `text` stood behind `prefix_tail`, with "\\n" as line end, in the document `path`."""

    path: str | None
    prefix_tail: str
    text: str

    def typed(self, path: str | None, before: str) -> str | None:
        """What was typed since at this place, when the document ends there with `before`; None at another place."""
        if self.path != path:
            return None
        if not self.prefix_tail:
            return before if len(before) <= len(self.text) else None
        at = before.rfind(self.prefix_tail, max(0, len(before) - len(self.prefix_tail) - len(self.text)))
        return None if at < 0 else before[at + len(self.prefix_tail) :]


class RecentCompletions:
    """The newest completions.  Used in the engine's thread only."""

    def __init__(self, kept: int = KEPT) -> None:
        self._recent: deque[Recent] = deque(maxlen=kept)

    def add(self, path: str | None, before: str, text: str) -> None:
        """Remember a completion of the text `before`, also one that was broken off.

        Where one that was typed through goes on, it becomes longer, so that a request for each key leaves one text.
        """
        added = Recent(path, before[-PREFIX_TAIL:], text)
        for recent in self._recent:
            typed = recent.typed(path, before)
            if typed is None:
                continue
            whole = typed + text
            if recent.text.startswith(whole):
                added = recent
            elif whole.startswith(recent.text) and len(whole) <= MAX_CHARACTERS:
                added = Recent(path, recent.prefix_tail, whole)
            else:
                continue
            self._recent.remove(recent)
            break
        self._recent.appendleft(added)

    def texts(self) -> Sequence[Recent]:
        """The newest first.  A completion is the same object as long as it is remembered."""
        return tuple(self._recent)

    def clear(self) -> None:
        self._recent.clear()
