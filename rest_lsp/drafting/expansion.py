"""Occurrences of the context, from any source, merged into one tree, best first by the probability of the path.

The root holds all occurrences.  A node holds those that agree with its path, each matching one token more per level,
so long and short matches back each other off by themselves (as in PPM; SuffixDecoding, arXiv 2411.04975 §4).
Here occurrences become arrays, and arrays become a tree; `growth` does what lies between.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple, overload

import numpy as np

from rest_lsp.drafting import places
from rest_lsp.drafting.confidence import Evidence
from rest_lsp.drafting.growth import Ints, Known, Nodes, Opinion, Places, Typed, branch, grow, new_nodes
from rest_lsp.drafting.source import NO_ROWS, Origin, Proposal
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
    """All occurrences, those of one proposal together; `ends` are the numbers of places up to the end of each."""

    places: Places
    proposals: Sequence[Proposal]
    ends: Sequence[int]

    def proposal_of(self, place: int) -> Proposal:
        return self.proposals[bisect_right(self.ends, place)]

    def origin(self, place: int) -> Origin:
        number = bisect_right(self.ends, place)
        return self.proposals[number].rows.origin(place - (self.ends[number - 1] if number else 0))


_NOTHING_FOUND = Found(Places(NO_ROWS.ints, NO_ROWS.weights), (), ())


def gather(proposals: Iterable[Proposal]) -> Found:
    """What the sources propose, in one array."""
    chosen = [proposal for proposal in proposals if len(proposal.rows.ints)]
    if not chosen:
        return _NOTHING_FOUND
    rows = [proposal.rows for proposal in chosen]
    ends = list(accumulate(len(part.ints) for part in rows))
    if len(chosen) == 1:
        return Found(Places(rows[0].ints, rows[0].weights), chosen, ends)
    ints = np.empty((ends[-1], max(part.ints.shape[1] for part in rows)), np.int32)
    for part, end in zip(rows, ends, strict=True):
        n, width = part.ints.shape
        ints[end - n : end, :width] = part.ints
    return Found(Places(ints, np.concatenate([part.weights for part in rows])), chosen, ends)


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
        places=_LazyOrigins(found, best),
        sources=[found.proposal_of(place).source if place >= 0 else SUCCESSORS for place in best],
        evidence=_LazyEvidence(chosen),
    )


def compile_ahead() -> None:
    """Compile what a draft runs, or read it from where it is kept: some seconds once, so that no draft waits for it."""
    expand(_NOTHING_FOUND, 0, healing=None, opinion=Opinion(np.zeros(0), 0.0, np.zeros(0)), limits=Limits(1, 0.0, 1))
    places.compile_ahead()


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
    node, begin, n_pool = 0, 1, len(found.places.ints)
    for token in path:
        end = branch(known, nodes, pool, node, begin, n_pool)
        children = nodes[begin:end]
        tokens = children["token"].tolist()
        yield list(map(Candidate, tokens, _evidence(children)))
        if token not in tokens:
            return
        node, begin, n_pool = begin + tokens.index(token), end, n_pool + int(children["n"].sum())


class _LazyOrigins(Sequence[Origin | None]):
    """Where the nodes of a tree were read first; made for those that somebody asks for."""

    def __init__(self, found: Found, places: Sequence[int]) -> None:
        self._found, self._places = found, places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, at: int) -> Origin | None: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Origin | None]: ...
    def __getitem__(self, at: int | slice) -> Origin | Sequence[Origin | None] | None:
        if isinstance(at, slice):
            return _LazyOrigins(self._found, self._places[at])
        place = self._places[at]
        return self._found.origin(place) if place >= 0 else None


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
