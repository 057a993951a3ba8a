"""Places in other files that look like the text around the cursor, found by the n-grams that both have.

The datastore answers for each position of the text around the cursor where its last tokens stood before; places where
many of these answers lie together are the most similar.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import sqrt

from rest_lsp.completion.context_text import Chunk, Documents
from rest_lsp.completion.snapshot import Snapshot
from rest_lsp.tokenizer import Tokenizer

LINES_ABOVE, LINES_BELOW = 16, 6
SHORTEST, LONGEST = 3, 12
"""Tokens that must agree: two are everywhere, and more than the longest says nothing new."""
PLACES = 16
STEP = 48
"""Tokens between windows; one is twice as long, and its chunk reaches half a step beyond it."""
APART = 3
"""Steps from one window to another of the same file, so that their chunks do not overlap."""
MAX_CHUNKS = 16
NEARNESS = 3.0
"""How much more what stands in the cursor's line counts than what stands farthest from it."""
FAVOUR = 1.5
"""How much more an open file counts than another."""

Window = tuple[str, int]


class SimilarPlaces:
    """Looks for chunks of about a hundred tokens."""

    def __init__(self, tokenizer: Tokenizer, documents: Documents) -> None:
        self._tokenizer, self._documents = tokenizer, documents

    def chunks(self, path: str, snapshot: Snapshot) -> Iterator[Chunk]:
        """The most similar first; none of the document itself."""
        scores = self._scores(path, snapshot)
        taken: list[Window] = []
        for window in sorted(scores, key=lambda window: (-scores[window], window)):
            if len(taken) == MAX_CHUNKS:
                break
            if all(window[0] != name or abs(window[1] - index) >= APART for name, index in taken):
                taken.append(window)
                text = self._lines(window[0], STEP * window[1])
                if text:
                    yield Chunk(window[0], text)

    def _scores(self, path: str, snapshot: Snapshot) -> dict[Window, float]:
        """By window: the sum, over positions around the cursor, of the best that agrees with each."""
        gains: defaultdict[Window, dict[int, float]] = defaultdict(dict)
        for position, (context, weight) in enumerate(self._contexts(snapshot)):
            found = self._documents.find(context, depth=1, max_length=LONGEST, limit=PLACES, exclude=path).occurrences()
            found = [one for one in found if one.length >= SHORTEST]
            rarity = 1 / sqrt(sum(one.weight for one in found)) if found else 0.0
            for one in found:
                gain = weight * rarity * (one.length - SHORTEST + 1)
                last = one.origin.offset // STEP
                for window in ((one.origin.path, last), (one.origin.path, last - 1)):
                    known = gains[window]
                    known[position] = max(gain, known.get(position, 0.0))
        open_paths = self._documents.open_paths
        return {
            window: sum(known.values()) * (FAVOUR if window[0] in open_paths else 1.0)
            for window, known in gains.items()
            if window[1] >= 0
        }

    def _contexts(self, snapshot: Snapshot) -> Iterator[tuple[Sequence[int], float]]:
        """The tokens up to each position of the lines around the cursor, with how much the position counts."""
        *above, line = snapshot.before.split("\n")[-LINES_ABOVE:]
        below = snapshot.after.split("\n", LINES_BELOW + 1)[1 : LINES_BELOW + 1]
        upper = [(f"{text}\n", len(above) - number) for number, text in enumerate(above)]
        lower = [(f"{text}\n", number + 1) for number, text in enumerate(below)]
        for lines in ([*upper, (line, 0)], lower):
            ids: list[int] = []
            for text, distance in lines:
                weight = NEARNESS - (NEARNESS - 1) * distance / LINES_ABOVE
                for token in self._tokenizer.encode(text):
                    ids.append(token)
                    yield ids[-LONGEST:], weight

    def _lines(self, path: str, start: int) -> str:
        """The whole lines between a token and the end of its window, without blank ones at either end."""
        ids = self._documents.document_ids(path)
        if ids is None:
            return ""
        first, end = max(0, start - STEP // 2), start + 2 * STEP + STEP // 2
        text = self._tokenizer.decode(ids[first:end].tolist())
        if first > 0:
            text = text.partition("\n")[2]
        if end < len(ids):
            text = text.rpartition("\n")[0]
        kept = text.strip("\n")
        return f"{kept}\n" if kept.strip() else ""
