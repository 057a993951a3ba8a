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
    """An occurrence and the source that found it."""

    occurrence: Occurrence
    source: str
    nearby: bool


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
        Found(occurrence, proposal.source, proposal.source in nearby)
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
    longer = [found for found in node.found if len(found.occurrence.tokens) > node.depth]
    return _children(longer, index, node.depth, node.probability, node.healing, confidence)


def _children(
    found: Sequence[Found], parent: int, depth: int, probability: float, healing: Healing | None, confidence: Confidence
) -> Iterator[_Node]:
    """The tokens that `found` continue with at `depth`, each with its probability."""
    groups: dict[int, list[Found]] = {}
    for item in found:
        groups.setdefault(item.occurrence.tokens[depth], []).append(item)
    if healing is not None:
        groups = {token: group for token, group in groups.items() if healing.allows(token)}
    if not groups:
        return
    level = Level.of(groups.values())
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
    def of(cls, groups: Iterable[Sequence[Found]]) -> Level:
        agreeing = [0.0] * (_LONGEST + 1)
        blended, best = 0.0, 0
        for group in groups:
            for found in group:
                length, weight = found.occurrence.length, found.occurrence.weight
                agreeing[min(length, _LONGEST)] += weight
                blended += _blend(length, weight)
                best = max(best, length)
        for length in range(_LONGEST - 1, -1, -1):
            agreeing[length] += agreeing[length + 1]
        return cls(agreeing, blended, best)


def gather(group: Sequence[Found], level: Level, depth: int) -> Evidence:
    """Evidence for the token that `group` continues with, among all occurrences of its `level`."""
    length = max(found.occurrence.length for found in group)
    count = sum(found.occurrence.weight for found in group if found.occurrence.length >= length)
    blended = sum(_blend(found.occurrence.length, found.occurrence.weight) for found in group)
    sources = {found.source for found in group}
    return Evidence(
        length=length + depth,
        best_length=level.best_length + depth,
        share=count / level.agreeing[min(length, _LONGEST)],
        blended=blended / level.blended,
        nearby=any(found.nearby for found in group),
        agreed=len(sources) > 1,
        typed=TYPED in sources,
    )


_LONGEST = 16
"""Matches that are longer count alike."""


def _blend(length: int, weight: float) -> float:
    return weight * (1 << min(length, _LONGEST))


def _tree(nodes: Sequence[_Node]) -> DraftTree:
    best = [max(node.found, key=lambda found: found.occurrence.length) for node in nodes]
    return DraftTree(
        tokens=[node.token for node in nodes],
        parents=[node.parent for node in nodes],
        depths=[node.depth for node in nodes],
        path_probability=[node.probability for node in nodes],
        origins=[_place(found, node.depth) for node, found in zip(nodes, best, strict=True)],
        sources=[found.source for found in best],
    )


def _place(found: Found, depth: int) -> Origin | None:
    origin = found.occurrence.origin
    return None if origin is NOWHERE else origin._replace(offset=origin.offset + depth - 1)
