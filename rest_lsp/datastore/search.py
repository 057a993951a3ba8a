"""Occurrences of the end of a context in many segments at once.  Needs no lock, no files and no tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, groupby
from operator import itemgetter
from time import perf_counter
from typing import NamedTuple

import numpy as np

from rest_lsp.datastore.format import HASH_BYTES
from rest_lsp.datastore.occurrence import Occurrence, Origin
from rest_lsp.datastore.search_rows import find_ranges, read_rows
from rest_lsp.datastore.segment import Bytes, Ints, NewDocument, Segment

PASSES = (0.5, 0.25, 0.75, 0.125)
"""Where in each stride a pass of even sampling looks; later ones run only when the earlier met dead documents."""

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


class Match(NamedTuple):
    """Rows [low, high) of a view agree with exactly `length` tokens at the end of the context."""

    length: int
    view: View
    low: int
    high: int


_Continuation = tuple[tuple[int, ...], Origin]
"""Tokens and where they were read; a plain tuple, since thousands are made per second."""


def occurrences(views: Iterable[View], query: Query) -> list[Occurrence]:
    """Longest matches first, each occurrence once, at most `limit`; ties in the order of the views.

    When the deadline passes, what the longest lengths gave is returned.
    """
    found: list[Occurrence] = []
    heads: list[tuple[list[Match], Iterator[list[Match]]]] = []
    taken = [matches(view, query.reversed_context, query.min_length, 2 * query.limit) for view in views]
    while len(found) < query.limit:
        heads += [(head, search) for search in taken if (head := next(search, None))]
        if not heads:
            break
        length = max(head[0].length for head, _ in heads)
        level = [match for head, _ in heads if head[0].length == length for match in head]
        taken = [search for head, search in heads if head[0].length == length]
        heads = [(head, search) for head, search in heads if head[0].length < length]
        found += _sample(level, query, query.limit - len(found))
        if perf_counter() > query.deadline:
            break
    return found


def matches(view: View, reversed_context: Ints, min_length: int, enough: int) -> Iterator[list[Match]]:
    """Row ranges by falling match length, down to `min_length`, those of one length together.

    They are found at once until `enough` rows are in them; few callers go on, so the rest is found only then.
    """
    known = 0
    for most in (enough, len(view.segment.arrays.rows)):
        ranges = find_ranges(view.segment.arrays, reversed_context, min_length, most).tolist()
        for length, level in groupby(ranges[known:], key=itemgetter(0)):
            yield [Match(length, view, low, high) for _, low, high in level]
        if sum(high - low for _, low, high in ranges) < most:
            return
        known = len(ranges)


def _sample(level: Sequence[Match], query: Query, wanted: int) -> list[Occurrence]:
    """Occurrences from the rows of one length: all when they are few, else evenly spread, each standing for its share.

    Every row that is looked at stands for equally many rows, whether it turns out to be alive or not, so weights are
    unbiased.  Dead rows are made up for by looking at more, up to one probe per entry of PASSES.
    """
    total = sum(match.high - match.low for match in level)
    stride = max(total / wanted, 1.0)
    probed: set[int] = set()
    found: list[_Continuation] = []
    for offset in PASSES:
        few = total <= 2 * wanted
        picks = set(range(total)) if few else {int((index + offset) * stride) for index in range(wanted)} - probed
        probed |= picks
        found += _read_picks(level, np.array(sorted(picks), np.int32), query.depth)
        if 2 * len(found) > wanted or len(probed) == total or perf_counter() > query.deadline:
            break
    weight = total / len(probed)
    if len(found) > wanted:
        weight *= len(found) / wanted
        found = [found[index * len(found) // wanted] for index in range(wanted)]
    length = level[0].length
    new = tuple.__new__
    return [new(Occurrence, (length, tokens, weight, origin)) for tokens, origin in found]


def _read_picks(level: Sequence[Match], picks: Ints, depth: int) -> list[_Continuation]:
    """Read the picked rows; picks are ascending numbers over all rows of `level`, one match after the other."""
    found: list[_Continuation] = []
    ends = list(accumulate(match.high - match.low for match in level))
    begin = offset = 0
    for match, end, behind in zip(level, ends, np.searchsorted(picks, ends).tolist(), strict=True):
        if behind > begin:
            found += read(match.view, picks[begin:behind] + np.int32(match.low - offset), depth)
        begin, offset = behind, end
    return found


def read(view: View, picked: Ints, depth: int) -> list[_Continuation]:
    """What follows the picked rows, up to `depth` tokens, except in dead documents and where nothing follows."""
    segment = view.segment
    paths, versions, new = segment.paths, segment.versions, tuple.__new__
    found: list[_Continuation] = []
    for document, offset, n_tokens, *tokens in read_rows(segment.arrays, view.dead, picked, depth).tolist():
        origin = new(Origin, (paths[document], offset, versions[document]))
        found.append((tuple(tokens[:n_tokens]), origin))
    return found


def compile_ahead() -> None:
    """Compile what a search runs, or read it from where it is kept, so that no draft waits for it."""
    view = View(Segment.build("", [NewDocument("", bytes(HASH_BYTES), [0, 0])], bytes(16)))
    context = np.zeros(1, np.int32)
    for level in matches(view, context, 1, 1):
        _read_picks(level, np.arange(1, dtype=np.int32), 1)
