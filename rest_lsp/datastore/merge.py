"""When segments are merged (a pure policy) and how (their living documents are sorted anew)."""

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
        smallest = sorted(range(len(sizes)), key=lambda index: sizes[index].live_tokens)[:FAN_OUT]
        return _that_fit(sizes, smallest, max_tokens)
    return []


def merge_segments(
    name: str, sources: Sequence[LiveSegment], fingerprint: bytes, sorter: Sorter = suffix_array
) -> Segment | None:
    """One segment with the living documents of `sources`; None when none lives."""
    documents = [
        NewDocument(
            live.segment.paths[document], live.segment.content_hash(document), live.segment.document_ids(document)
        )
        for live in sources
        for document in live.live_documents
    ]
    return Segment.build(name, documents, fingerprint, sorter) if documents else None


def _that_fit(sizes: Sequence[SegmentSize], candidates: Sequence[int], max_tokens: int) -> list[int]:
    """The smallest candidates that make a segment of allowed size; [] when not even two do."""
    chosen: list[int] = []
    total = 0
    for index in sorted(candidates, key=lambda index: sizes[index].live_tokens):
        total += sizes[index].live_tokens
        if total > max_tokens:
            break
        chosen.append(index)
    return sorted(chosen) if len(chosen) > 1 else []
