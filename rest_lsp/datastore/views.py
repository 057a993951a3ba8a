"""Many segments as one array of addresses, which is all that compiled code takes of them.

A call of compiled code takes every array apart that it is given.  Between two passes of a model, when caches are cold,
that takes longer than the search; addresses are written down once and cost nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple, TypeVar, overload

import numpy as np
import numpy.typing as npt

from rest_lsp.compiling import array_at, kernel
from rest_lsp.datastore.segment import Arrays, Bytes, Segment

Table = npt.NDArray[np.int64]

NOBODY: Bytes = np.zeros(0, np.uint8)
"""Of no document is it said that it must not appear."""

FIRST_DOCUMENT = 0
"""The column with the number of a view's first document."""

_COLUMNS = 18


class View(NamedTuple):
    """A segment as one snapshot sees it.  `dead` is 1 for each document that must not appear; empty when all may."""

    segment: Segment
    dead: Bytes = NOBODY


class Views:
    """Immutable, and keeps alive what its `table` points at: [n, columns], a row for each view; see `view_at`.

    The documents of all views are numbered one after the other; `paths` and `versions` go by these numbers.
    """

    def __init__(self, views: Iterable[View]) -> None:
        self.all = tuple(views)
        sizes = (view.segment.n_documents for view in self.all)
        first = list(accumulate(sizes, initial=0))
        rows = [_row(view, number) for view, number in zip(self.all, first, strict=False)]
        self.table: Table = np.array(rows, np.int64).reshape(-1, _COLUMNS)
        segments = [view.segment for view in self.all]
        self.paths: Sequence[str] = _OfDocuments(first, [segment.paths for segment in segments])
        self.versions: Sequence[int] = _OfDocuments(first, [segment.versions for segment in segments])


Item = TypeVar("Item")


class _OfDocuments(Sequence[Item]):
    """Lists one after the other, as they are: nothing is copied."""

    def __init__(self, first: Sequence[int], parts: Sequence[Sequence[Item]]) -> None:
        """`first` are the numbers of the first of each part, and in the end the number of all."""
        self._first, self._parts = first, parts

    def __len__(self) -> int:
        return self._first[-1]

    @overload
    def __getitem__(self, at: int) -> Item: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Item]: ...
    def __getitem__(self, at: int | slice) -> Item | Sequence[Item]:
        if isinstance(at, slice):
            return [self[number] for number in range(*at.indices(len(self)))]
        if not 0 <= at < len(self):
            raise IndexError(at)
        part = bisect_right(self._first, at) - 1
        return self._parts[part][at - self._first[part]]


@kernel
def view_at(table: Table, number: int) -> tuple[Arrays, Bytes]:
    """The arrays of a view, and of its dead documents."""
    row = table[number]
    segment = Arrays(
        array_at(row[1], row[2], np.uint8),
        row[17],
        array_at(row[3], row[4], np.int32),
        array_at(row[5], row[6], np.uint32),
        array_at(row[7], row[8], np.int32),
        array_at(row[9], row[10], np.uint32),
        array_at(row[11], row[12], np.uint32),
        array_at(row[13], row[14], np.uint32),
    )
    return segment, array_at(row[15], row[16], np.uint8)


def _row(view: View, first_document: int) -> list[int]:
    """As `view_at` reads it: the number of the first document, address and length of each array, the width of ids."""
    arrays = view.segment.arrays
    found = [first_document]
    for array in (
        arrays.tokens, arrays.rows, arrays.first_rows, arrays.dense_ids, arrays.vocabulary, arrays.starts,
        arrays.lengths, view.dead,
    ):  # fmt: skip
        assert array.flags.c_contiguous, "compiled code reads what lies in a row"
        found += [array.ctypes.data, len(array)]
    return [*found, arrays.width]
