"""Occurrences of the end of a context in many segments at once.  Needs no lock, no files and no tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from time import perf_counter
from typing import NamedTuple, overload

import numpy as np

from rest_lsp.datastore.format import HASH_BYTES
from rest_lsp.datastore.occurrence import DOCUMENT, NO_ROWS, VIEW, Rows
from rest_lsp.datastore.search_view import Floats, longest, search
from rest_lsp.datastore.segment import Bytes, Ints, NewDocument, Segment

NOBODY: Bytes = np.zeros(0, np.uint8)
"""Of no document is it said that it must not appear."""


class View(NamedTuple):
    """A segment as one snapshot sees it.  `dead` is 1 for each document that must not appear; empty when all may."""

    segment: Segment
    dead: Bytes = NOBODY


class Query(NamedTuple):
    """What is asked of every view.  `reversed_context` begins with the last token; `deadline` is by perf_counter."""

    reversed_context: Ints
    depth: int
    min_length: int
    limit: int
    deadline: float


def find(views: Iterable[View], query: Query) -> Rows:
    """Longest matches first, each occurrence once, at most `limit`; ties in the order of the views.

    Large ranges are sampled.  When the deadline passes, the views that are left are not searched.
    """
    segments: list[Segment] = []
    found: list[tuple[Ints, Floats]] = []
    for segment, dead in views:
        ints, weights = search(segment.arrays, dead, query.reversed_context, query.depth, query.min_length, query.limit)
        if len(ints):
            ints[:, VIEW] = len(segments)
            segments.append(segment)
            found.append((ints, weights))
        if perf_counter() > query.deadline:
            break
    if not found:
        return NO_ROWS
    ints, weights = found[0] if len(found) == 1 else _joined(found, query.limit)[:2]
    places = zip(ints[:, VIEW].tolist(), ints[:, DOCUMENT].tolist(), strict=True)
    return Rows(ints, weights, [segments[view].paths[document] for view, document in places], _Versions(segments, ints))


def merged(parts: Sequence[Rows], limit: int) -> Rows:
    """The longest matches of all, at most `limit`; each part has its longest first and at most `limit` itself."""
    whole = [part for part in parts if len(part.ints)]
    if len(whole) < 2:
        return whole[0] if whole else NO_ROWS
    ints, weights, order = _joined([(part.ints, part.weights) for part in whole], limit)
    paths = [path for part in whole for path in part.paths]
    versions = [version for part in whole for version in part.versions]
    chosen = order.tolist()
    return Rows(ints, weights, [paths[at] for at in chosen], [versions[at] for at in chosen])


def _joined(parts: Sequence[tuple[Ints, Floats]], limit: int) -> tuple[Ints, Floats, Ints]:
    """The longest matches of all, and which rows these are of all parts one after the other."""
    ints, weights = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = longest(ints, weights, limit)
    return ints[order], weights[order], order


class _Versions(Sequence[int]):
    """Of the documents of rows; read only for those that somebody asks for, since each lies on a page of its own."""

    def __init__(self, segments: Sequence[Segment], ints: Ints) -> None:
        self._segments, self._ints = segments, ints

    def __len__(self) -> int:
        return len(self._ints)

    @overload
    def __getitem__(self, at: int) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[int]: ...
    def __getitem__(self, at: int | slice) -> int | Sequence[int]:
        if isinstance(at, slice):
            return _Versions(self._segments, self._ints[at])
        return int(self._segments[self._ints[at, VIEW]].versions[self._ints[at, DOCUMENT]])


def compile_ahead() -> None:
    """Compile what a search runs, or read it from where it is kept, so that no draft waits for it."""
    view = View(Segment.build("", [NewDocument("", bytes(HASH_BYTES), [0, 0])], bytes(16)))
    find([view, view], Query(np.zeros(1, np.int32), 1, 1, 1, perf_counter() + 60.0))
