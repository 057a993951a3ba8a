"""Growing a draft tree from arrays, compiled: the innermost loops of a draft, which Python would need 0.5 ms for.

A node's children are the tokens that its occurrences continue with, and the successors of its own token.  All of them
are weighed, judged, and kept in the order in which they were found; the likeliest that is left becomes the next node.
Knows neither where occurrences come from nor what becomes of the tree.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rest_lsp.compiling import kernel
from rest_lsp.datastore.occurrence import LENGTH, N_TOKENS, TOKENS, TRAITS
from rest_lsp.datastore.search_view import by_length
from rest_lsp.drafting import traits as t

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]

LONGEST = 32
"""Longer matches count as so many tokens."""

WIDEST_GAP = 8
N_LENGTHS, N_DEPTHS = 6, 4
"""Cells of a calibration: 0, 1, 2, 3 to 4, 5 to 8, and longer matches; levels 1, 2, 3 to 4, and deeper ones."""

N_TRAITS = len(t.NAMES)
ROOT = -1
_WITNESSES = t.WITNESSES
_SUCCESSOR, _OTHER = t.SUCCESSOR, t.OTHER
_THROUGH, _COMPLETED, _DELETED, _REPOSITORY, _LIBRARY = t.THROUGH, t.COMPLETED, t.DELETED, t.REPOSITORY, t.LIBRARY
_IN_DOCUMENT = t.BEFORE | t.AFTER


class Places(NamedTuple):
    """Occurrences as in `Rows`: ints [n, TOKENS + depth], weights [n]; those of one source together."""

    ints: Ints
    weights: Floats


class Typed(NamedTuple):
    """Bytes that the first tokens must spell (see `healing`); token i spells spelled[ends[i - 1] : ends[i]]."""

    pending: Bytes
    spelled: Bytes
    ends: Ints


class Known(NamedTuple):
    """All that speaks for tokens behind `last`.  successors[token + 1] follow a token wherever it stands; -1: none."""

    places: Places
    typed: Typed
    successors: Ints
    last: int


class Opinion(NamedTuple):
    """What judges: the weights of `confidence` [features], how far drafts held, shifts of `calibration` [cells]."""

    weights: Floats
    trust: float
    shifts: Floats


NODE = np.dtype(
    [
        ("token", np.int32), ("parent", np.int32), ("depth", np.int32), ("spelled", np.int32), ("length", np.int32),
        ("gap", np.int32), ("traits", np.int32), ("first", np.int32), ("n", np.int32), ("share", np.float64),
        ("blended", np.float64), ("chance", np.float64),
    ]
)  # fmt: skip
"""A token that may follow; the places that know it are pool[first : first + n].  `spelled` counts pending bytes that
the path has used; `chance` is the probability of the path, or -1 when the node is taken or too unlikely; the other
fields are its evidence."""

Nodes = npt.NDArray[np.void]

TOKEN, PARENT, DEPTH, FIRST, MATCHED, GAP, KNOWN_AS = range(7)
CHANCE, SHARE, BLENDED = range(3)
"""Columns of a grown tree: its whole numbers, three of them of the evidence (see `confidence`), and its others."""

N_INTS, N_FLOATS = 7, 3


@kernel
def log_odds(weights: Floats, length: int, gap: int, share: float, blended: float, traits: int) -> float:
    """The logistic model of `confidence`, weights in the order of its features."""
    log_length = math.log2(min(length, LONGEST)) if length > 1 else 0.0
    found: float = weights[0] + weights[1] * min(gap, WIDEST_GAP) + blended * (weights[3] + weights[4] * log_length)
    found += share * (weights[2] + weights[5] if traits & _SUCCESSOR else weights[2])
    witnesses = 0
    for kind in _WITNESSES:
        witnesses += 1 if traits & kind else 0
    if witnesses > 1:
        found += weights[6]
    for bit in range(N_TRAITS):
        if traits >> bit & 1:
            found += weights[7 + bit]
    return found


@kernel
def cell(length: int, traits: int, depth: int) -> int:
    """The cell of `calibration` for a guess `depth` levels below the root (0 for its children)."""
    matched = length - depth
    bucket = max(matched, 0) if matched < 3 else (3 if matched < 5 else 4 if matched < 9 else 5)
    level = depth if depth < 2 else (2 if depth < 4 else 3)
    in_document, in_repository = traits & _IN_DOCUMENT, traits & _REPOSITORY
    if traits & _THROUGH:
        kind = 0
    elif traits & _COMPLETED:
        kind = 1
    elif traits & _DELETED:
        kind = 2
    elif in_document or in_repository:
        kind = 3 if in_document and in_repository else (4 if in_document else 5)
    else:
        kind = 6 if traits & _LIBRARY else 7
    return (kind * N_LENGTHS + bucket) * N_DEPTHS + level


@kernel
def probability(odds: float) -> float:
    """The chance that goes with log-odds."""
    return 1.0 / (1.0 + math.exp(-odds)) if odds > -30.0 else 0.0


@kernel
def allows(typed: Typed, spelled: int, token: int) -> bool:
    """Whether a token agrees with what is pending behind `spelled` bytes."""
    left = len(typed.pending) - spelled
    if left <= 0:
        return True
    if token >= len(typed.ends):
        return False
    start = typed.ends[token - 1] if token else 0
    length: int = typed.ends[token] - start
    for at in range(min(length, left)):
        if typed.spelled[start + at] != typed.pending[spelled + at]:
            return False
    return length > 0


@kernel
def behind(ints: Ints, weights: Floats, more: Ints, more_weights: Floats) -> tuple[Ints, Floats]:
    """The places of one proposal and then those of another, as wide as the wider."""
    n = len(ints)
    both = np.empty((n + len(more), max(ints.shape[1], more.shape[1])), np.int32)
    both[:n, : ints.shape[1]] = ints
    both[n:, : more.shape[1]] = more
    return both, np.concatenate((weights, more_weights))


@kernel
def new_nodes(known: Known, n_branches: int) -> tuple[Nodes, Ints]:
    """Room for so many branches; node 0 is the root, which all places know."""
    ints = known.places.ints
    n, n_tokens = len(ints), np.sum(ints[:, N_TOKENS])
    pool = np.empty(n + n_tokens, np.int32)
    pool[:n] = by_length(ints, LONGEST)
    nodes = np.empty(1 + n_tokens + n_branches * known.successors.shape[1], NODE)
    _add(nodes, 0, known.last, ROOT, 0, 0)
    nodes[0].n, nodes[0].spelled, nodes[0].chance = n, 0, -1.0
    return nodes, pool


@kernel
def branch(known: Known, nodes: Nodes, pool: Ints, node: int, begin: int, n_pool: int) -> int:
    """Append the children of `node` to the `begin` nodes that there are; returns how many there are then.

    The pool grows by one entry for each of the node's places that goes on.
    """
    places, typed = known.places, known.typed
    depth, first, n = nodes[node].depth, nodes[node].first, nodes[node].n
    end, best, blended_total = begin, -depth, 0.0
    total = 0.0
    reach = np.zeros(LONGEST + 1, np.float64)
    home = np.full(n, ROOT, np.int32)
    for member in range(n):
        place = pool[first + member]
        if depth >= places.ints[place, N_TOKENS]:
            continue
        token = places.ints[place, TOKENS + depth]
        if not allows(typed, nodes[node].spelled, token):
            continue
        length = min(places.ints[place, LENGTH], LONGEST)
        blended = places.weights[place] * (1 << length)
        total += places.weights[place]
        blended_total += blended
        reach[length] = total
        best = max(best, length)
        child = _find(nodes, begin, end, token)
        if child == end:
            _add(nodes, end, token, node, depth + 1, length)
            end += 1
        if length == nodes[child].length:
            nodes[child].share += places.weights[place]
        nodes[child].blended += blended
        nodes[child].traits |= places.ints[place, TRAITS]
        nodes[child].n += 1
        home[member] = child
    for child in range(begin, end):
        nodes[child].first = n_pool
        n_pool += nodes[child].n
        nodes[child].n = 0
        nodes[child].share /= reach[nodes[child].length]
        nodes[child].blended /= blended_total
    for member in range(n):
        child = home[member]
        if child != ROOT:
            pool[nodes[child].first + nodes[child].n] = pool[first + member]
            nodes[child].n += 1
    end = _add_successors(known, nodes, node, begin, end)
    for child in range(begin, end):
        nodes[child].gap = best - nodes[child].length
        nodes[child].length += depth
        nodes[child].spelled = _spelled_with(typed, nodes[node].spelled, nodes[child].token)
    return end


@kernel
def _spelled_with(typed: Typed, spelled: int, token: int) -> int:
    """How many pending bytes are used behind an allowed token."""
    if spelled >= len(typed.pending):
        return spelled
    return spelled + typed.ends[token] - (typed.ends[token - 1] if token else 0)  # type: ignore[no-any-return]


@kernel
def _find(nodes: Nodes, begin: int, end: int, token: int) -> int:
    at = begin
    while at < end and nodes[at].token != token:
        at += 1
    return at


@kernel
def _add(nodes: Nodes, at: int, token: int, parent: int, depth: int, length: int) -> None:
    node = nodes[at]
    node.token, node.parent, node.depth, node.length = token, parent, depth, length
    node.traits = node.first = node.n = 0
    node.share = node.blended = 0.0


@kernel
def _add_successors(known: Known, nodes: Nodes, node: int, begin: int, end: int) -> int:
    """Successors of the node's token among its children from `begin` on: a trait of those that are there, else new."""
    successors = known.successors
    row = nodes[node].token + 1
    if row >= len(successors):
        return end
    for rank in range(successors.shape[1]):
        token = successors[row, rank]
        if token < 0 or not allows(known.typed, nodes[node].spelled, token):
            continue
        child = _find(nodes, begin, end, token)
        if child == end:
            _add(nodes, end, token, node, nodes[node].depth + 1, -nodes[node].depth)
            end += 1
        nodes[child].traits |= _SUCCESSOR if rank == 0 else _OTHER
    return end


@kernel
def _judge(opinion: Opinion, nodes: Nodes, begin: int, end: int, above: float, least: float) -> None:
    """Chances of the nodes from `begin` on, all children of one whose path has the chance `above`."""
    total = 0.0
    for at in range(begin, end):
        node = nodes[at]
        odds = log_odds(opinion.weights, node.length, node.gap, node.share, node.blended, node.traits)
        shift = opinion.shifts[cell(node.length, node.traits, node.depth - 1)]
        node.chance = probability(odds + opinion.trust + shift)
        total += node.chance
    scale = above / max(1.0, total)
    for at in range(begin, end):
        node = nodes[at]
        node.chance *= scale
        if node.chance < least:
            node.chance = -1.0


@kernel
def grow(
    ints: Ints,
    weights: Floats,
    pending: Bytes,
    spelled: Bytes,
    ends: Ints,
    successors: Ints,
    last: int,
    confidence: Floats,
    trust: float,
    shifts: Floats,
    max_nodes: int,
    least: float,
    max_depth: int,
) -> tuple[Ints, Floats]:
    """The best nodes within the limits, best first, as columns; see `Known`, `Opinion`, and the numbers of columns.

    Ties go to the token that was found first.  PARENT is the number of a chosen node or -1, FIRST is the best place or
    -1 where none knows the token.  Arrays come and go one by one: a tuple of them takes a call three times as long.
    """
    known = Known(Places(ints, weights), Typed(pending, spelled, ends), successors, last)
    chosen = _grow(known, Opinion(confidence, trust, shifts), max_nodes, least, max_depth)
    found = np.empty((N_INTS, len(chosen)), np.int32)
    measured = np.empty((N_FLOATS, len(chosen)), np.float64)
    for at in range(len(chosen)):
        node = chosen[at]
        found[TOKEN, at], found[PARENT, at], found[DEPTH, at], found[FIRST, at] = (
            node.token, node.parent, node.depth, node.first,
        )  # fmt: skip
        found[MATCHED, at], found[GAP, at], found[KNOWN_AS, at] = node.length, node.gap, node.traits
        measured[CHANCE, at], measured[SHARE, at], measured[BLENDED, at] = node.chance, node.share, node.blended
    return found, measured


@kernel
def _grow(known: Known, opinion: Opinion, max_nodes: int, least: float, max_depth: int) -> Nodes:
    nodes, pool = new_nodes(known, max_nodes + 1)
    chosen = np.empty(max_nodes, NODE)
    number = np.full(len(nodes), ROOT, np.int32)
    n_chosen, n_nodes, n_pool, node, above = 0, 1, len(known.places.ints), 0, 1.0
    while n_chosen < max_nodes:
        if nodes[node].depth < max_depth:
            end = branch(known, nodes, pool, node, n_nodes, n_pool)
            _judge(opinion, nodes, n_nodes, end, above, least)
            for child in range(n_nodes, end):
                n_pool += nodes[child].n
            n_nodes = end
        node, above = 0, -1.0
        for candidate in range(1, n_nodes):
            if nodes[candidate].chance > above:
                node, above = candidate, nodes[candidate].chance
        if node == 0:
            break
        chosen[n_chosen] = nodes[node]
        chosen[n_chosen].parent = number[nodes[node].parent]
        chosen[n_chosen].first = pool[nodes[node].first] if nodes[node].n else ROOT
        nodes[node].chance = -1.0
        number[node] = n_chosen
        n_chosen += 1
    return chosen[:n_chosen]
