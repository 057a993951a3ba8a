"""Occurrences of the context, from any source, merged into one tree, best first by the probability of the path.

The root holds all occurrences.  A node holds those that agree with its path, each matching one token more per level,
so long and short matches back each other off by themselves (as in PPM; SuffixDecoding, arXiv 2411.04975 §4).
This is Python's innermost loop of a draft, hence plain tuples and one pass over the occurrences of a node.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import NamedTuple

from rest_lsp.drafting.confidence import LONGEST, Evidence
from rest_lsp.drafting.source import NOWHERE, Origin, Proposal
from rest_lsp.drafting.tree import EMPTY_TREE, ROOT, DraftTree
from rest_lsp.healing import Healing

Found = tuple[tuple[int, ...], int, float, float, int, str, Origin]
"""An occurrence: tokens, length, weight, weight counted 2**length times, traits, source, origin."""

Judge = Callable[[Evidence, int], float]
"""(evidence, depth) -> the chance of a token, given the path to it."""

Successors = Callable[[int], Sequence[tuple[int, int]]]
"""A token -> tokens that may follow it wherever it stands, each with its traits."""

SUCCESSORS = "successors"
"""The source of tokens that no occurrence knew."""


class Limits(NamedTuple):
    """When to stop: the number of nodes, the least path probability worth a node, the deepest level."""

    max_nodes: int
    min_probability: float
    max_depth: int


class Group:
    """The occurrences at a node that continue with the same token, the longest match first."""

    __slots__ = ("blended", "found", "length", "traits", "weight")

    def __init__(self, length: int, weight: float, blended: float, traits: int, found: list[Found]) -> None:
        self.length, self.weight, self.blended, self.traits, self.found = length, weight, blended, traits, found


class Candidate(NamedTuple):
    """A token that may follow a node, what speaks for it, and the occurrences that go on behind it."""

    token: int
    evidence: Evidence
    found: list[Found]


class _Node(NamedTuple):
    token: int
    parent: int
    depth: int
    probability: float
    evidence: Evidence
    found: list[Found]
    healing: Healing | None


def flatten(proposals: Iterable[Proposal]) -> list[Found]:
    """All occurrences with something behind them, the longest match first; ties in the order of the proposals."""
    found: list[Found] = []
    for source, occurrences, traits in proposals:
        for (length, tokens, weight, origin), trait in zip(occurrences, traits, strict=True):
            if tokens:
                agreed = min(length, LONGEST)
                found.append((tokens, agreed, weight, weight * (1 << agreed), trait, source, origin))
    found.sort(key=itemgetter(1), reverse=True)
    return found


def candidates(
    found: Sequence[Found], depth: int, last: int, healing: Healing | None, successors: Successors | None
) -> list[Candidate]:
    """The tokens that `found`, longest match first, continue with at `depth`, and the successors of token `last`."""
    if healing is None and len(found) == 1 and successors is None:
        tokens, length, _, _, traits, _, _ = found[0]
        return [Candidate(tokens[depth], Evidence(length + depth, 0, 1.0, 1.0, traits), list(found))]
    groups: dict[int, Group] = {}
    allowed: dict[int, bool] = {}
    reach: dict[int, float] = {}
    total = blended_total = 0.0
    for item in found:
        tokens, length, weight, blended, traits, _, _ = item
        token = tokens[depth]
        if healing is not None and not _is_allowed(token, healing, allowed):
            continue
        total += weight
        blended_total += blended
        reach[length] = total
        group = groups.get(token)
        if group is None:
            groups[token] = Group(length, weight, blended, traits, [item])
            continue
        if length == group.length:
            group.weight += weight
        group.blended += blended
        group.traits |= traits
        group.found.append(item)
    following = successors(last) if successors is not None else ()
    for token, traits in following:
        if token in groups:
            groups[token].traits |= traits
        elif healing is None or _is_allowed(token, healing, allowed):
            groups[token] = Group(-depth, 0.0, 0.0, traits, [])
    best = max(reach, default=-depth)
    return [
        Candidate(
            token,
            Evidence(
                group.length + depth,
                best - group.length,
                group.weight / reach[group.length] if group.found else 0.0,
                group.blended / blended_total if group.found else 0.0,
                group.traits,
            ),
            group.found,
        )
        for token, group in groups.items()
    ]


def expand(
    found: list[Found],
    last: int,
    *,
    healing: Healing | None,
    judge: Judge,
    limits: Limits,
    successors: Successors | None = None,
) -> DraftTree:
    """The best tree within `limits` behind token `last`.  Deterministic: ties go to the token that was found first."""
    chosen: list[_Node] = []
    queue: list[tuple[float, int, _Node]] = []
    serial, parent, depth, above = 0, ROOT, 0, 1.0
    max_nodes, least, max_depth = limits
    while len(chosen) < max_nodes:
        following = candidates(found, depth, last, healing, successors) if depth < max_depth else []
        chances = [judge(candidate.evidence, depth) for candidate in following]
        scale = above / max(1.0, sum(chances))
        for (token, evidence, group), chance in zip(following, chances, strict=True):
            path_probability = chance * scale
            if path_probability >= least:
                rest = healing.advance(token) if healing is not None else None
                node = _Node(token, parent, depth + 1, path_probability, evidence, group, rest)
                heapq.heappush(queue, (-path_probability, serial, node))
                serial += 1
        if not queue:
            break
        node = heapq.heappop(queue)[2]
        parent = len(chosen)
        chosen.append(node)
        last, depth, above, healing = node.token, node.depth, node.probability, node.healing
        found = [item for item in node.found if len(item[0]) > depth]
    return _tree(chosen) if chosen else EMPTY_TREE


def _is_allowed(token: int, healing: Healing, known: dict[int, bool]) -> bool:
    if token not in known:
        known[token] = healing.allows(token)
    return known[token]


def _tree(nodes: Sequence[_Node]) -> DraftTree:
    best = [node.found[0] if node.found else None for node in nodes]
    return DraftTree(
        tokens=[node.token for node in nodes],
        parents=[node.parent for node in nodes],
        depths=[node.depth for node in nodes],
        path_probability=[node.probability for node in nodes],
        origins=[_place(found, node.depth) for node, found in zip(nodes, best, strict=True)],
        sources=[found[5] if found else SUCCESSORS for found in best],
        evidence=[node.evidence for node in nodes],
    )


def _place(found: Found | None, depth: int) -> Origin | None:
    if found is None or found[6] is NOWHERE:
        return None
    path, offset, generation = found[6]
    return Origin(path, offset + depth - 1, generation)
