"""Occurrences of the end of a context in many segments at once.  Needs no lock, no files and no tokenizer."""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from time import perf_counter
from typing import NamedTuple, cast

from rest_lsp.datastore.occurrence import Occurrence, Origin
from rest_lsp.datastore.segment import Segment

PASSES = (0.5, 0.25, 0.75, 0.125)
"""Where in each stride a pass of even sampling looks; later ones run only when the earlier met dead documents."""


class View(NamedTuple):
    """A segment as one snapshot sees it.  `dead` is 1 for each document that must not appear; empty when all may."""

    segment: Segment
    dead: bytes = b""


class Query(NamedTuple):
    """What is asked of every view.  `reversed_context` begins with the last token; `deadline` is by perf_counter."""

    reversed_context: Sequence[int]
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
    searches = [matches(view, query.reversed_context, query.min_length) for view in views]
    heads = [(head, search) for search in searches if (head := next(search, None))]
    while heads and len(found) < query.limit:
        length = max(head.length for head, _ in heads)
        level: list[Match] = []
        remaining = []
        for head, search in heads:
            following: Match | None = head
            while following and following.length == length:
                level.append(following)
                following = next(search, None)
            if following:
                remaining.append((following, search))
        heads = remaining
        found += _sample(level, query, query.limit - len(found))
        if perf_counter() > query.deadline:
            break
    return found


def matches(view: View, reversed_context: Sequence[int], min_length: int) -> Iterator[Match]:
    """Row ranges by falling match length, down to `min_length`.

    The rows are sorted by what stands before each position, so the longest match lies where the context itself would be
    sorted in, and shorter ones lie around it: the ranges grow outwards from there, one step per length that occurs.
    """
    segment = view.segment
    pattern = dense_pattern(segment, reversed_context)
    if len(pattern) < max(min_length, 1):
        return
    width = segment.token_bytes
    sought = struct.pack(f">{len(pattern)}{segment.token_code}", *pattern)
    key = suffix_key(segment, len(sought))
    rows = segment.rows
    first, last = segment.first_rows[pattern[0]], segment.first_rows[pattern[0] + 1]
    low = high = bisect_left(rows, sought, first, last, key=key)
    below = _agreement(key(rows[low - 1]), sought, width) if low > first else 0
    above = _agreement(key(rows[high]), sought, width) if high < last else 0
    while (length := max(below, above)) >= max(min_length, 1):
        prefix = sought[: length * width]
        key = suffix_key(segment, length * width)
        if below == length:
            end = low
            low = bisect_left(rows, prefix, first, end, key=key) if length > 1 else first
            yield Match(length, view, low, end)
            below = _agreement(key(rows[low - 1]), prefix, width) if low > first else 0
        if above == length:
            start = high
            high = bisect_right(rows, prefix, start, last, key=key) if length > 1 else last
            yield Match(length, view, start, high)
            above = _agreement(key(rows[high]), prefix, width) if high < last else 0


def dense_pattern(segment: Segment, reversed_context: Sequence[int]) -> list[int]:
    """The context in the segment's own numbering, up to the first token that does not occur in it."""
    dense_ids = segment.dense_ids
    n_ids = len(dense_ids)
    pattern = []
    for token in reversed_context:
        if token >= n_ids or not (dense := dense_ids[token]):
            break
        pattern.append(dense)
    return pattern


def suffix_key(segment: Segment, n_bytes: int) -> Callable[[int], bytes]:
    """Position → the first bytes of its suffix.  The last token is a separator, so what lies behind never decides."""
    data, start, width = cast("bytes", segment.data), segment.tokens_at, segment.token_bytes

    def suffix(position: int) -> bytes:
        at = start + width * position
        return data[at : at + n_bytes]

    return suffix


def _agreement(suffix: bytes, sought: bytes, width: int) -> int:
    """How many tokens two byte strings share at their beginning."""
    for at in range(0, len(sought), width):
        if suffix[at : at + width] != sought[at : at + width]:
            return at // width
    return len(sought) // width


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
        found += _read_picks(level, sorted(picks), query.depth)
        if 2 * len(found) > wanted or len(probed) == total or perf_counter() > query.deadline:
            break
    weight = total / len(probed)
    if len(found) > wanted:
        weight *= len(found) / wanted
        found = [found[index * len(found) // wanted] for index in range(wanted)]
    length = level[0].length
    new = tuple.__new__
    return [new(Occurrence, (length, tokens, weight, origin)) for tokens, origin in found]


def _read_picks(level: Sequence[Match], picks: Sequence[int], depth: int) -> list[_Continuation]:
    """Read the picked rows; picks are ascending numbers over all rows of `level`, one match after the other."""
    found: list[_Continuation] = []
    begin = offset = 0
    for match in level:
        end = bisect_left(picks, offset + match.high - match.low, begin)
        found += read_rows(match.view, [match.low + pick - offset for pick in picks[begin:end]], depth)
        begin, offset = end, offset + match.high - match.low
    return found


def read_rows(view: View, picked: Sequence[int], depth: int) -> list[_Continuation]:
    """What follows the given rows, up to `depth` tokens, except in dead documents and where nothing follows.

    In reading order it stands in front of the position, last token first.  This is the innermost loop: 1 µs per row.
    """
    segment, dead = view
    data, tokens_at, width, rows = segment.data, segment.tokens_at, segment.token_bytes, segment.rows
    starts, lengths, paths, versions = segment.starts, segment.lengths, segment.paths, segment.versions
    unpack, token_of, new = _unpackers(segment.token_code, depth), segment.vocabulary.__getitem__, tuple.__new__
    found: list[_Continuation] = []
    try:
        for row in picked:
            position = rows[row]
            document = bisect_right(starts, position) - 1
            start = starts[document]
            if position == start or (dead and dead[document]):
                continue
            n_tokens = min(depth, position - start)
            stored = unpack[n_tokens](data, tokens_at + width * (position - n_tokens))
            origin = new(Origin, (paths[document], start + lengths[document] - position, versions[document]))
            found.append((tuple(map(token_of, stored[::-1])), origin))
    except (IndexError, struct.error):
        # Damaged bytes of a segment that has not been verified yet; whoever verifies it sets it aside.
        return found
    return found


@lru_cache
def _unpackers(code: str, depth: int) -> list[Callable[..., tuple[int, ...]]]:
    return [struct.Struct(f">{n_tokens}{code}").unpack_from for n_tokens in range(depth + 1)]
