"""When segments are merged (a pure policy) and how (their documents are sorted anew)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rest_lsp.datastore.generation import LiveSegment
from rest_lsp.datastore.segment import NewDocument, Segment
from rest_lsp.datastore.suffix_array import Sorter, suffix_array

FLOOR_TOKENS = 1 << 16
FAN_OUT = 4
MAX_SEGMENT_TOKENS = 1 << 23
"""Sorting that many takes about 350 MB."""

MAX_SEGMENTS = 12
MAX_DEAD_FRACTION = 0.5
"""Of all text.  Dead documents cost little, and live again without any work when a branch is checked out."""


class SegmentSize(NamedTuple):
    """All that the policy looks at."""

    live_tokens: int
    dead_tokens: int

    @property
    def tokens(self) -> int:
        return self.live_tokens + self.dead_tokens

    @property
    def tier(self) -> int:
        """0 up to FLOOR_TOKENS, then one more for each factor of FAN_OUT."""
        tier = 0
        while self.tokens > FLOOR_TOKENS * FAN_OUT**tier:
            tier += 1
        return tier


def choose_merge(sizes: Sequence[SegmentSize], max_tokens: int = MAX_SEGMENT_TOKENS) -> list[int]:
    """Which segments to replace by one of up to `max_tokens`; [] when all is well.

    When there is too much dead text, the segment with most of it, alone; else the lowest tier that has FAN_OUT segments
    (Lucene's tiers: a token is sorted anew about log4(n) times); then, beyond MAX_SEGMENTS, the smallest that fit
    together.
    """
    n_dead = sum(size.dead_tokens for size in sizes)
    if n_dead > max(FLOOR_TOKENS, MAX_DEAD_FRACTION * sum(size.tokens for size in sizes)):
        worst = max(range(len(sizes)), key=lambda index: sizes[index].dead_tokens)
        return [worst] if sizes[worst].live_tokens <= max_tokens else []
    tiers: dict[int, list[int]] = {}
    for index, size in enumerate(sizes):
        tiers.setdefault(size.tier, []).append(index)
    for tier in sorted(tiers):
        if len(tiers[tier]) >= FAN_OUT and (chosen := _that_fit(sizes, tiers[tier], max_tokens)):
            return chosen
    if len(sizes) > MAX_SEGMENTS:
        smallest = sorted(range(len(sizes)), key=lambda index: sizes[index].tokens)[:FAN_OUT]
        return _that_fit(sizes, smallest, max_tokens)
    return []


def merge_segments(
    name: str,
    sources: Sequence[LiveSegment],
    fingerprint: bytes,
    sorter: Sorter = suffix_array,
    *,
    keep_dead: bool = False,
) -> LiveSegment | None:
    """One segment with the living documents of `sources`; None when it would be empty.

    `keep_dead` takes the dead ones along, each version once, still dead: a branch that is checked out again revives
    them.  They come first, so that a path that also lives is known by its living document.
    """
    living = [_document(live, document) for live in sources for document in live.live_documents]
    versions = {(document.path, document.content_hash) for document in living}
    dead: dict[tuple[str, bytes], NewDocument] = {}
    for live in sources if keep_dead else ():
        for number in live.dead:
            version = live.segment.paths[number], live.segment.content_hash(number)
            if version not in versions and version not in dead:
                dead[version] = _document(live, number)
    documents = [*dead.values(), *living]
    if not documents:
        return None
    return LiveSegment(Segment.build(name, documents, fingerprint, sorter), frozenset(range(len(dead))))


def _document(live: LiveSegment, document: int) -> NewDocument:
    segment = live.segment
    return NewDocument(segment.paths[document], segment.content_hash(document), segment.document_ids(document))


def _that_fit(sizes: Sequence[SegmentSize], candidates: Sequence[int], max_tokens: int) -> list[int]:
    """The smallest candidates that make a segment of allowed size; [] when not even two do."""
    chosen: list[int] = []
    total = 0
    for index in sorted(candidates, key=lambda index: sizes[index].tokens):
        total += sizes[index].tokens
        if total > max_tokens:
            break
        chosen.append(index)
    return sorted(chosen) if len(chosen) > 1 else []
