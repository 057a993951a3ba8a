"""Occurrences of the context, from any source, merged into one tree, best first by the probability of the path.

The root holds all occurrences.  A node holds those that agree with its path, each matching one token more per level,
so long and short matches back each other off by themselves (as in PPM; SuffixDecoding, arXiv 2411.04975 §4).
Here occurrences become arrays, and arrays become a tree; `growth` does what lies between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain
from operator import itemgetter
from typing import NamedTuple, overload

import numpy as np

from rest_lsp.drafting.confidence import Evidence
from rest_lsp.drafting.growth import LONGEST, Ints, Known, Nodes, Opinion, Places, Typed, branch, grow, new_nodes
from rest_lsp.drafting.source import Origin, Proposal
from rest_lsp.drafting.tree import EMPTY_TREE, DraftTree
from rest_lsp.healing import Healing

SUCCESSORS = "successors"
"""The source of tokens that no occurrence knew."""

NO_SUCCESSORS: Ints = np.zeros((0, 0), np.int32)
_NOTHING_TYPED = Typed(np.zeros(0, np.uint8), np.zeros(0, np.uint8), np.zeros(0, np.int32))


class Limits(NamedTuple):
    """When to stop: the number of nodes, the least path probability worth a node, the deepest level."""

    max_nodes: int
    min_probability: float
    max_depth: int


class Found(NamedTuple):
    """All occurrences with something behind them, the longest match first; ties in the order of the proposals."""

    places: Places
    origins: Sequence[Origin]
    sources: Sequence[str]


_NOTHING_FOUND = Found(
    Places(
        np.zeros(0, np.int32), np.zeros(1, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float64),
        np.zeros(0, np.int32),
    ), (), (),
)  # fmt: skip
_Row = tuple[int, tuple[int, ...], float, int, Origin, str]


def gather(proposals: Iterable[Proposal]) -> Found:
    """What the sources propose, as arrays."""
    rows: list[_Row] = []
    for source, occurrences, traits in proposals:
        for (length, tokens, weight, origin), trait in zip(occurrences, traits, strict=True):
            if tokens:
                rows.append((min(LONGEST, length), tokens, weight, trait, origin, source))
    rows.sort(key=itemgetter(0), reverse=True)
    if not rows:
        return _NOTHING_FOUND
    followed = [row[1] for row in rows]
    places = Places(
        np.array(list(chain.from_iterable(followed)), np.int32),
        np.array([0, *accumulate(map(len, followed))], np.int32),
        np.array([row[0] for row in rows], np.int32),
        np.array([row[2] for row in rows], np.float64),
        np.array([row[3] for row in rows], np.int32),
    )
    return Found(places, [row[4] for row in rows], [row[5] for row in rows])


def expand(
    found: Found,
    last: int,
    *,
    healing: Healing | None,
    opinion: Opinion,
    limits: Limits,
    successors: Ints = NO_SUCCESSORS,
) -> DraftTree:
    """The best tree within `limits` behind token `last`.  Deterministic: ties go to the token that was found first."""
    max_nodes, least, max_depth = limits
    chosen = grow(Known(found.places, _typed(healing), successors, last), opinion, max_nodes, least, max_depth)
    if not len(chosen):
        return EMPTY_TREE
    best = chosen["first"].tolist()
    return DraftTree(
        tokens=chosen["token"].tolist(),
        parents=chosen["parent"].tolist(),
        depths=chosen["depth"].tolist(),
        path_probability=chosen["chance"].tolist(),
        places=[found.origins[place] if place >= 0 else None for place in best],
        sources=[found.sources[place] if place >= 0 else SUCCESSORS for place in best],
        evidence=_LazyEvidence(chosen),
    )


def compile_ahead() -> None:
    """Compile what a draft runs, or read it from where it is kept: some seconds once, so that no draft waits for it."""
    expand(_NOTHING_FOUND, 0, healing=None, opinion=Opinion(np.zeros(0), 0.0, np.zeros(0)), limits=Limits(1, 0.0, 1))


class Candidate(NamedTuple):
    """A token that may come next, and what speaks for it."""

    token: int
    evidence: Evidence


def candidates(
    found: Found, last: int, path: Sequence[int], successors: Ints = NO_SUCCESSORS
) -> Iterator[list[Candidate]]:
    """The tokens that may follow `last`, then those behind each token of `path`, as long as it is one of them."""
    known = Known(found.places, _NOTHING_TYPED, successors, last)
    nodes, pool = new_nodes(known, len(path))
    node, begin, n_pool = 0, 1, len(found.places.lengths)
    for token in path:
        end = branch(known, nodes, pool, node, begin, n_pool)
        children = nodes[begin:end]
        tokens = children["token"].tolist()
        yield list(map(Candidate, tokens, _evidence(children)))
        if token not in tokens:
            return
        node, begin, n_pool = begin + tokens.index(token), end, n_pool + int(children["n"].sum())


class _LazyEvidence(Sequence[Evidence]):
    """Of the nodes of a tree; made when somebody asks, and for all nodes at once when somebody goes through them."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[Evidence]:
        return iter(_evidence(self._nodes))

    @overload
    def __getitem__(self, at: int) -> Evidence: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Evidence]: ...
    def __getitem__(self, at: int | slice) -> Evidence | Sequence[Evidence]:
        if isinstance(at, slice):
            return _LazyEvidence(self._nodes[at])
        return _evidence(self._nodes[at : at + 1])[0]


def _evidence(nodes: Nodes) -> list[Evidence]:
    columns = (nodes[name].tolist() for name in Evidence._fields)
    return list(map(Evidence, *columns))


def _typed(healing: Healing | None) -> Typed:
    if healing is None:
        return _NOTHING_TYPED
    spelled, ends = healing.vocabulary.joined
    return Typed(np.array(list(healing.pending), np.uint8), spelled, ends)
