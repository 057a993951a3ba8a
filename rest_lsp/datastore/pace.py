"""The pace of a refresh: how many files are committed together, and how far along it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from rest_lsp.datastore.reports import IndexProgress, ProgressCallback
from rest_lsp.datastore.source_file import FileStamp

BATCH_BYTES = (1 << 18, 1 << 20, 1 << 22)
"""Text of the first commit, the second, and each further one: drafts begin early, and little is sorted twice.

A build that is interrupted loses what was done since the last commit, about two seconds of work.
"""

CHUNK_CHARACTERS = 1 << 19
"""Text between two words about progress."""


Tokenised = Callable[[int, int], None]
"""See `Meter.tokenised`."""


class Suspect(NamedTuple):
    """A listed file that may differ from its document."""

    path: str
    stamp: FileStamp


def batches(suspects: Sequence[Suspect]) -> Iterator[list[Suspect]]:
    """Cut by BATCH_BYTES."""
    sizes = iter(BATCH_BYTES)
    room = limit = next(sizes)
    batch: list[Suspect] = []
    for suspect in suspects:
        batch.append(suspect)
        room -= suspect.stamp.size
        if room <= 0:
            yield batch
            batch = []
            room = limit = next(sizes, limit)
    if batch:
        yield batch


class Meter:
    """Counts files and bytes of one refresh, and tells them."""

    def __init__(self, suspects: Sequence[Suspect], tell: ProgressCallback | None) -> None:
        self._tell = tell
        self._n_files = len(suspects)
        self._n_bytes = max(sum(suspect.stamp.size for suspect in suspects), 1)
        self._done_files = self._done_bytes = self._tokens = 0
        self._started = time.perf_counter()

    def done(self, batch: Sequence[Suspect]) -> None:
        """These files are in the datastore now."""
        self._done_files += len(batch)
        self._done_bytes += sum(suspect.stamp.size for suspect in batch)
        self.tokenised(0, 0)

    def tokenised(self, n_tokens: int, ahead_bytes: int) -> None:
        """`n_tokens` more; `ahead_bytes` of text are tokenised and not committed yet."""
        self._tokens += n_tokens
        share = min((self._done_bytes + ahead_bytes) / self._n_bytes, 1.0)
        if self._tell:
            spent = time.perf_counter() - self._started
            left = round(spent / share - spent, 1) if share else None
            self._tell(IndexProgress("index", self._done_files, self._n_files, self._tokens, left))


def chunks(sizes: Sequence[int], limit: int) -> Iterator[slice]:
    """Ranges of items whose sizes add up to about `limit`."""
    start = total = 0
    for index, size in enumerate(sizes):
        total += size
        if total >= limit:
            yield slice(start, index + 1)
            start, total = index + 1, 0
    if start < len(sizes):
        yield slice(start, len(sizes))
