"""Occurrences of the context, from any source, merged into one tree, best first by the probability of the path.

The root holds all occurrences.  A node holds those that agree with its path, each matching one token more per level,
so long and short matches back each other off by themselves (as in PPM; SuffixDecoding, arXiv 2411.04975 §4).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rest_lsp.drafting.confidence import Confidence, Evidence
from rest_lsp.drafting.source import Occurrence, Origin, Proposal
from rest_lsp.drafting.tree import EMPTY_TREE, ROOT, DraftTree
from rest_lsp.healing import Healing

TYPED = "typed"
"""The source that spells out typed text."""

NOWHERE = Origin("", 0)
"""The origin of a guess that was read in no document."""


@dataclass(frozen=True)
class Limits:
    """When to stop: the number of nodes, the least path probability worth a node, the deepest level."""

    max_nodes: int
    min_probability: float
    max_depth: int


class Found(NamedTuple):
    """An occurrence with the source that found it; `blend` is its weight counted 2**length times."""

    tokens: tuple[int, ...]
    length: int
    weight: float
    blend: float
    source: str
    nearby: bool
    origin: Origin

    @classmethod
    def by(cls, source: str, occurrence: Occurrence, *, nearby: bool) -> Found:
        length, tokens, weight, origin = occurrence
        length = min(length, _LONGEST)
        return cls(tokens, length, weight, weight * (1 << length), source, nearby, origin)


@dataclass
class _Node:
    """A node not yet in the tree; `found` are the occurrences that continue with its token."""

    token: int
    parent: int
    depth: int
    probability: float
    found: list[Found]
    healing: Healing | None = field(compare=False)


def expand(
    proposals: Iterable[Proposal],
    *,
    nearby: frozenset[str],
    healing: Healing | None,
    confidence: Confidence,
    limits: Limits,
) -> DraftTree:
    """The best tree within `limits`.  Deterministic: ties go to the token that was found first."""
    found = [
        Found.by(proposal.source, occurrence, nearby=proposal.source in nearby)
        for proposal in proposals
        for occurrence in proposal.occurrences
        if occurrence.tokens
    ]
    if not found or limits.max_nodes <= 0:
        return EMPTY_TREE
    chosen: list[_Node] = []
    queue: list[tuple[float, int, _Node]] = []
    serial = 0
    grown = _children(found, ROOT, 0, 1.0, healing, confidence)
    while True:
        for node in grown:
            if node.probability >= limits.min_probability:
                heapq.heappush(queue, (-node.probability, serial, node))
                serial += 1
        if not queue or len(chosen) == limits.max_nodes:
            return _tree(chosen)
        best = heapq.heappop(queue)[2]
        chosen.append(best)
        deeper = best.depth < limits.max_depth
        grown = _children_of(best, len(chosen) - 1, confidence) if deeper else iter(())


def _children_of(node: _Node, index: int, confidence: Confidence) -> Iterator[_Node]:
    longer = [found for found in node.found if len(found.tokens) > node.depth]
    return _children(longer, index, node.depth, node.probability, node.healing, confidence)


def _children(
    found: Sequence[Found], parent: int, depth: int, probability: float, healing: Healing | None, confidence: Confidence
) -> Iterator[_Node]:
    """The tokens that `found` continue with at `depth`, each with its probability."""
    groups: dict[int, list[Found]] = {}
    for item in found:
        groups.setdefault(item.tokens[depth], []).append(item)
    if healing is not None:
        groups = {token: group for token, group in groups.items() if healing.allows(token)}
        found = [item for group in groups.values() for item in group]
    if not groups:
        return
    level = Level.of(found)
    chances = {token: confidence.probability(gather(group, level, depth)) for token, group in groups.items()}
    scale = probability / max(1.0, sum(chances.values()))
    for token, group in groups.items():
        rest = healing.advance(token) if healing is not None else None
        yield _Node(token, parent, depth + 1, scale * chances[token], group, rest)


class Level(NamedTuple):
    """All occurrences at one node together: their weight by least match length, and their blended weight."""

    agreeing: list[float]
    blended: float
    best_length: int

    @classmethod
    def of(cls, found: Sequence[Found]) -> Level:
        agreeing = [0.0] * (_LONGEST + 1)
        blended = 0.0
        for _, length, weight, blend, _, _, _ in found:
            agreeing[length] += weight
            blended += blend
        total, best = 0.0, 0
        for length in range(_LONGEST, -1, -1):
            if agreeing[length] and not best:
                best = length
            total += agreeing[length]
            agreeing[length] = total
        return cls(agreeing, blended, best)


def gather(group: Sequence[Found], level: Level, depth: int) -> Evidence:
    """Evidence for the token that `group` continues with, among all occurrences of its `level`."""
    longest, count, blended, nearby, typed, agreed = 0, 0.0, 0.0, False, False, False
    first = group[0].source
    for _, length, weight, blend, source, near, _ in group:
        if length > longest:
            longest, count = length, 0.0
        if length == longest:
            count += weight
        blended += blend
        nearby |= near
        typed |= source == TYPED
        agreed |= source != first
    return Evidence(
        length=longest + depth,
        best_length=level.best_length + depth,
        share=count / level.agreeing[longest],
        blended=blended / level.blended,
        nearby=nearby,
        agreed=agreed,
        typed=typed,
    )


_LONGEST = 16
"""Matches that are longer count alike."""


def _tree(nodes: Sequence[_Node]) -> DraftTree:
    best = [max(node.found, key=lambda found: found.length) for node in nodes]
    return DraftTree(
        tokens=[node.token for node in nodes],
        parents=[node.parent for node in nodes],
        depths=[node.depth for node in nodes],
        path_probability=[node.probability for node in nodes],
        origins=[_place(found, node.depth) for node, found in zip(nodes, best, strict=True)],
        sources=[found.source for found in best],
    )


def _place(found: Found, depth: int) -> Origin | None:
    origin = found.origin
    return None if origin is NOWHERE else origin._replace(offset=origin.offset + depth - 1)
