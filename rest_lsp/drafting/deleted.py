"""Text that was deleted lately: when a block is rewritten, much of it often returns."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from rest_lsp.drafting.recent import PREFIX_TAIL, Recent

REMEMBERED = 8
MIN_CHARACTERS = 8
"""Less is a correction of a typing error and no text."""

MAX_CHARACTERS = 20_000


class DeletedText:
    """What was removed from documents, and where.  Written from the event loop, read from the engine's thread."""

    def __init__(self) -> None:
        self._texts: deque[Recent] = deque(maxlen=REMEMBERED)

    def removed(self, path: str, before: str, text: str) -> None:
        """`text` was removed behind `before`.  Deletions that go on backwards, key by key, are one."""
        tail = before[-PREFIX_TAIL:]
        if self._texts and self._goes_on(self._texts[0], path, tail, text):
            text += self._texts.popleft().text
        if text:
            self._texts.appendleft(Recent(path, tail, text[:MAX_CHARACTERS]))

    def texts(self) -> Sequence[Recent]:
        """The newest first; what is too short to help is left out."""
        return [recent for recent in tuple(self._texts) if len(recent.text) >= MIN_CHARACTERS]

    @staticmethod
    def _goes_on(last: Recent, path: str, tail: str, text: str) -> bool:
        return last.path == path and (tail + text)[-PREFIX_TAIL:].endswith(last.prefix_tail[-len(tail + text) :])
