"""How other methods draft, as drafters of our own decode loop, so that nothing but the rule differs.

They see the same texts as ours: the repository, and the document where the method looks at its own context.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rest_lsp.drafting.drafter import Verdict
from rest_lsp.drafting.source import DraftSource, Occurrence
from rest_lsp.drafting.tree import EMPTY_TREE, ROOT, DraftTree
from rest_lsp.healing import Healing

REST_DEPTH, REST_SHORTEST = 10, 2
SUFFIX_LEAST, SUFFIX_DEPTH = 0.1, 64


class LongestMatchRule:
    """REST (arXiv 2311.08252 §3.2 and its code): the places of the longest match, of two tokens at least, and the
    `nodes` most frequent prefixes of what follows there, at most ten tokens deep.

    Where REST has no match it verifies a constant guess; here nothing is drafted, which is cheaper.
    """

    def __init__(self, sources: Sequence[DraftSource], *, nodes: int) -> None:
        self._sources, self._nodes = sources, nodes

    def draft(self, context: Sequence[int], past: int, healing: Healing | None) -> DraftTree:
        found = [item for source in self._sources for item in _places(source, context, REST_DEPTH)]
        longest = max((item.place.length for item in found), default=0)
        if longest < REST_SHORTEST:
            return EMPTY_TREE
        return most_frequent([item for item in found if item.place.length == longest], self._nodes, REST_DEPTH).tree

    def observe(self, tree: DraftTree, verdict: Verdict) -> None:
        """Nothing is learnt."""


class SuffixRule:
    """SuffixDecoding (arXiv 2411.04975 §4 and ArcticInference, with its defaults).

    For each source and each match length L a tree of at most `factor` * L nodes, none below a path probability of .1 by
    counting; the tree whose probabilities have the largest sum is verified.
    """

    def __init__(self, sources: Sequence[DraftSource], *, factor: float = 1.0, most: int = 64) -> None:
        self._sources, self._factor, self._most = sources, factor, most

    def draft(self, context: Sequence[int], past: int, healing: Healing | None) -> DraftTree:
        best = Scored(EMPTY_TREE, 0.0)
        for source in self._sources:
            found = _places(source, context, SUFFIX_DEPTH)
            for length in sorted({item.place.length for item in found}, reverse=True):
                nodes = min(self._most, int(self._factor * length))
                if best.score >= nodes:
                    break  # No tree of so few nodes can promise more.
                matching = [item for item in found if item.place.length >= length]
                best = max(best, most_frequent(matching, nodes, nodes, least=SUFFIX_LEAST), key=lambda tree: tree.score)
        return best.tree

    def observe(self, tree: DraftTree, verdict: Verdict) -> None:
        """Nothing is learnt."""


@dataclass(frozen=True)
class Scored:
    """A tree and the sum of its path probabilities."""

    tree: DraftTree
    score: float


def most_frequent(found: Sequence[Found], nodes: int, depth: int, *, least: float = 0.0) -> Scored:
    """The `nodes` most frequent prefixes of what follows, at most `depth` deep; probabilities are shares of counts."""
    total = sum(item.place.weight for item in found)
    queue: list[tuple[float, int, _Node]] = []
    chosen: list[_Node] = []
    grown = _children(found, ROOT, 0, total)
    serial = 0
    while True:
        for node in grown:
            if node.probability >= least:
                heapq.heappush(queue, (-node.probability, serial, node))
                serial += 1
        if not queue or len(chosen) >= nodes:
            return Scored(_tree(chosen), sum(node.probability for node in chosen))
        best = heapq.heappop(queue)[2]
        chosen.append(best)
        grown = _children(best.found, len(chosen) - 1, best.depth, total) if best.depth < depth else iter(())


class Found(NamedTuple):
    """An occurrence and the source that knows it."""

    source: str
    place: Occurrence


class _Node(NamedTuple):
    token: int
    parent: int
    depth: int
    probability: float
    found: Sequence[Found]


def _children(found: Sequence[Found], parent: int, depth: int, total: float) -> Iterator[_Node]:
    groups: dict[int, list[Found]] = defaultdict(list)
    for item in found:
        if len(item.place.tokens) > depth:
            groups[item.place.tokens[depth]].append(item)
    for token, group in groups.items():
        yield _Node(token, parent, depth + 1, sum(item.place.weight for item in group) / total, group)


def _tree(nodes: Sequence[_Node]) -> DraftTree:
    return DraftTree(
        tokens=[node.token for node in nodes],
        parents=[node.parent for node in nodes],
        depths=[node.depth for node in nodes],
        path_probability=[node.probability for node in nodes],
        places=[node.found[0].place.origin for node in nodes],
        sources=[node.found[0].source for node in nodes],
    )


def _places(source: DraftSource, context: Sequence[int], depth: int) -> list[Found]:
    return [Found(source.name, place) for place in source.propose(context, depth).rows.occurrences()]
