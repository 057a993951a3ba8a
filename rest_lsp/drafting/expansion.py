"""Occurrences of the context, from any source, merged into one tree, best first by the probability of the path.

The root holds all occurrences.  A node holds those that agree with its path, each matching one token more per level,
so long and short matches back each other off by themselves (as in PPM; SuffixDecoding, arXiv 2411.04975 §4).
Here occurrences become arrays, and arrays become a tree; `growth` does what lies between.
"""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar, overload

import numpy as np

from rest_lsp.drafting.confidence import Evidence
from rest_lsp.drafting.growth import (
    CHANCE,
    FIRST,
    MATCHED,
    N_FLOATS,
    N_INTS,
    SHARE,
    Floats,
    Ints,
    Known,
    Nodes,
    Opinion,
    Places,
    Typed,
    behind,
    branch,
    grow,
    new_nodes,
)
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
    ints, weights, _, _ = chosen[0].rows
    ends = [len(ints)]
    for _, rows in chosen[1:]:
        ints, weights = behind(ints, weights, rows.ints, rows.weights)
        ends.append(len(ints))
    return Found(Places(ints, weights), chosen, ends)


class Grown(NamedTuple):
    """A tree, and its nodes as the columns of `growth.grow`, for whoever learns from all of them."""

    tree: DraftTree
    ints: Ints
    floats: Floats


NOTHING_GROWN = Grown(EMPTY_TREE, np.zeros((N_INTS, 0), np.int32), np.zeros((N_FLOATS, 0)))


def expand(
    found: Found,
    last: int,
    *,
    healing: Healing | None,
    opinion: Opinion,
    limits: Limits,
    successors: Ints = NO_SUCCESSORS,
) -> Grown:
    """The best tree within `limits` behind token `last`.  Deterministic: ties go to the token that was found first."""
    (places, weights), (pending, spelled, ends) = found.places, _typed(healing)
    confidence, trust, shifts = opinion
    max_nodes, least, max_depth = limits
    ints, floats = grow(
        places, weights, pending, spelled, ends, successors, last, confidence, trust, shifts, max_nodes, least,
        max_depth,
    )  # fmt: skip
    tokens, parents, depths, best = ints[: FIRST + 1].tolist()
    if not tokens:
        return NOTHING_GROWN
    tree = DraftTree(
        tokens, parents, depths, floats[CHANCE].tolist(), _Origins(found, best), _Sources(found, best),
        _LazyEvidence(ints, floats),
    )  # fmt: skip
    return Grown(tree, ints, floats)


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


Item = TypeVar("Item")


class _OfPlaces(Sequence[Item]):
    """What is known of the places where the nodes of a tree were read first; made for those that somebody asks for."""

    def __init__(self, found: Found, places: Sequence[int]) -> None:
        self._found, self._places = found, places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, at: int) -> Item: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Item]: ...
    def __getitem__(self, at: int | slice) -> Item | Sequence[Item]:
        if isinstance(at, slice):
            return type(self)(self._found, self._places[at])
        return self._of(self._places[at])

    @abstractmethod
    def _of(self, place: int) -> Item: ...


class _Origins(_OfPlaces[Origin | None]):
    def _of(self, place: int) -> Origin | None:
        return self._found.origin(place) if place >= 0 else None


class _Sources(_OfPlaces[str]):
    def _of(self, place: int) -> str:
        return self._found.proposal_of(place).source if place >= 0 else SUCCESSORS


class _LazyEvidence(Sequence[Evidence]):
    """Of the nodes of a tree; made for those that somebody asks for."""

    def __init__(self, ints: Ints, floats: Floats) -> None:
        self._ints, self._floats = ints, floats

    def __len__(self) -> int:
        return len(self._ints[0])

    @overload
    def __getitem__(self, at: int) -> Evidence: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Evidence]: ...
    def __getitem__(self, at: int | slice) -> Evidence | Sequence[Evidence]:
        if isinstance(at, slice):
            return _LazyEvidence(self._ints[:, at], self._floats[:, at])
        length, gap, traits = self._ints[MATCHED:, at].tolist()
        share, blended = self._floats[SHARE:, at].tolist()
        return Evidence(length, gap, share, blended, traits)


def _evidence(nodes: Nodes) -> list[Evidence]:
    columns = (nodes[name].tolist() for name in Evidence._fields)
    return list(map(Evidence, *columns))


def _typed(healing: Healing | None) -> Typed:
    if healing is None:
        return _NOTHING_TYPED
    spelled, ends = healing.vocabulary.joined
    return Typed(np.array(list(healing.pending), np.uint8), spelled, ends)
