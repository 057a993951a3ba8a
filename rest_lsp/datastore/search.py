"""Occurrences of the end of a context in many segments at once.  Needs no lock, no files and no tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import NamedTuple

import numpy as np

from rest_lsp.datastore.format import HASH_BYTES
from rest_lsp.datastore.occurrence import DOCUMENT, NO_ROWS, Rows
from rest_lsp.datastore.search_view import Floats, longest, search
from rest_lsp.datastore.segment import Ints, NewDocument, Segment
from rest_lsp.datastore.views import View, Views

AT_ONCE = 8
"""Views that are searched between two looks at the clock: each takes some microseconds, a call of compiled code 20."""


class Query(NamedTuple):
    """What is asked of every view.  `reversed_context` begins with the last token; `deadline` is by perf_counter."""

    reversed_context: Ints
    depth: int
    min_length: int
    limit: int
    deadline: float


def find(views: Views, query: Query) -> Rows:
    """Longest matches first, each occurrence once, at most `limit`; ties in the order of the views.

    Large ranges are sampled.  When the deadline passes, the views that are left are not searched; where it has passed
    before, one is.
    """
    context, depth, min_length, limit, deadline = query
    n_views, begin = len(views.all), 0
    parts: list[tuple[Ints, Floats]] = []
    while begin < n_views:
        end = min(begin + AT_ONCE, n_views) if perf_counter() <= deadline else begin + 1
        most = limit if end - begin == n_views else (end - begin) * limit
        parts.append(search(views.table, begin, end, context, depth, min_length, limit, most))
        begin = end if perf_counter() <= deadline else n_views
    ints, weights = parts[0] if parts else NO_ROWS[:2]
    if len(parts) > 1 or len(ints) > limit:
        ints, weights, _ = longest(*_together(parts), limit)
    return Rows(ints, weights, views.paths, views.versions) if len(ints) else NO_ROWS


def merged(parts: Sequence[Rows], limit: int) -> Rows:
    """The longest matches of all, at most `limit`; each part has its longest first and at most `limit` itself."""
    whole = [part for part in parts if len(part.ints)]
    if len(whole) < 2:
        return whole[0] if whole else NO_ROWS
    ints, weights, order = longest(*_together([(part.ints, part.weights) for part in whole]), limit)
    rows = [(part, row) for part in whole for row in range(len(part.ints))]
    chosen = [part.origin(row) for part, row in map(rows.__getitem__, order.tolist())]
    ints[:, DOCUMENT] = range(len(chosen))
    return Rows(ints, weights, [one.path for one in chosen], [one.generation for one in chosen])


def _together(parts: Sequence[tuple[Ints, Floats]]) -> tuple[Ints, Floats]:
    return np.concatenate([ints for ints, _ in parts]), np.concatenate([weights for _, weights in parts])


def compile_ahead() -> None:
    """Compile what a search runs, or read it from where it is kept, so that no draft waits for it."""
    view = View(Segment.build("", [NewDocument("", bytes(HASH_BYTES), [0, 0])], bytes(16)))
    find(Views([view] * (AT_ONCE + 1)), Query(np.zeros(1, np.int32), 1, 1, 1, perf_counter() + 60.0))
