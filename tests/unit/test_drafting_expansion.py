"""Merging what sources know into one tree, and cutting it to what pays."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_lsp.drafting.calibration import UNCALIBRATED
from rest_lsp.drafting.confidence import Confidence
from rest_lsp.drafting.cost_model import FixedBudget, StepCost
from rest_lsp.drafting.drafter import Verdict
from rest_lsp.drafting.expansion import Limits, expand, gather
from rest_lsp.drafting.growth import Opinion
from rest_lsp.drafting.measured_budget import MARGIN, MeasuredBudget
from rest_lsp.drafting.source import NOWHERE, Occurrence, Origin, Proposal, rows_of
from rest_lsp.drafting.successors import SuccessorTable
from rest_lsp.drafting.traits import BEFORE, REPOSITORY
from rest_lsp.drafting.tree import DraftTree
from rest_lsp.drafting.tree_drafter import Experience, TreeDrafter
from rest_lsp.healing import Healing
from rest_lsp.tokenizer import SortedVocabulary

WIDE = Limits(max_nodes=64, min_probability=0.0, max_depth=8)


def occurrence(length: int, *tokens: int, path: str = "a.py", offset: int = 0, weight: float = 1.0) -> Occurrence:
    return Occurrence(length, tokens, weight, Origin(path, offset))


OPINION = Opinion(Confidence.prior().values, 0.0, UNCALIBRATED)


def proposal(source: str, found: Sequence[Occurrence]) -> Proposal:
    return Proposal(source, rows_of(found, BEFORE if source == "document" else REPOSITORY))


def grow(*proposals: Proposal, limits: Limits = WIDE, healing: Healing | None = None) -> DraftTree:
    return expand(gather(proposals), 0, healing=healing, opinion=OPINION, limits=limits).tree


def verdict(*accepted: int) -> Verdict:
    return Verdict(accepted, [*accepted, -1], 1, 10.0, lambda _: [])


def paths(tree: DraftTree) -> list[list[int]]:
    return [[tree.tokens[n] for n in tree.path_to(node)] for node in range(len(tree))]


occurrences = st.lists(
    st.builds(
        lambda length, tokens: occurrence(length, *tokens), st.integers(1, 16), st.lists(st.integers(0, 4), max_size=6)
    ),
    max_size=30,
)


@given(occurrences, occurrences, st.integers(0, 20))
def test_the_tree_holds_every_continuation_once_best_first(
    document: list[Occurrence], repository: list[Occurrence], max_nodes: int
) -> None:
    proposals = (proposal("document", document), proposal("repository", repository))
    tree = grow(*proposals)
    prefixes = {o.tokens[:n] for o in [*document, *repository] for n in range(1, len(o.tokens) + 1)}
    found = [tuple(path) for path in paths(tree)]
    assert len(found) == len(set(found)) == min(64, len(prefixes))
    assert set(found) <= prefixes
    chances = list(tree.path_probability)
    assert chances == sorted(chances, reverse=True)
    assert all(0 < chance <= 1 for chance in chances)
    assert all(tree.path_probability[p] >= c for p, c in zip(tree.parents, chances, strict=True) if p >= 0)
    smaller = grow(*proposals, limits=Limits(max_nodes, 0.0, 8))
    assert paths(smaller) == paths(tree)[:max_nodes]
    by_parent: dict[int, float] = {}
    for parent, chance in zip(tree.parents, chances, strict=True):
        by_parent[parent] = by_parent.get(parent, 0.0) + chance
    for parent, total in by_parent.items():
        assert total <= (1.0 if parent < 0 else tree.path_probability[parent]) + 1e-9


@given(occurrences)
def test_the_evidence_of_each_node_is_that_of_the_occurrences_on_its_path(found: list[Occurrence]) -> None:
    tree = grow(proposal("repository", found))
    for node, path in enumerate(paths(tree)):
        above = len(path) - 1
        there = [o for o in found if o.tokens[:above] == tuple(path[:above]) and len(o.tokens) > above]
        agree = [o for o in there if o.tokens[above] == path[above]]
        length, best = (max(o.length for o in some) for some in (agree, there))
        share = sum(o.length == length for o in agree) / sum(o.length >= length for o in there)
        blended = sum(2**o.length for o in agree) / sum(2**o.length for o in there)
        assert tuple(tree.evidence[node]) == pytest.approx((length + above, best - length, share, blended, REPOSITORY))


@given(occurrences, st.sampled_from([b"a", b"ab", b"aab", b"abb"]))
def test_what_disagrees_with_typed_text_is_left_out(found: list[Occurrence], typed: bytes) -> None:
    vocabulary = SortedVocabulary([b"?", b"a", b"b", b"ab", b""])
    allowed = set()
    for one in found:
        healing: Healing | None = Healing(typed, vocabulary)
        for n, token in enumerate(one.tokens, 1):
            if healing and not healing.allows(token):
                break
            healing = healing.advance(token) if healing else None
            allowed.add(one.tokens[:n])
    everything = Limits(200, 0.0, 8)
    tree = grow(proposal("repository", found), healing=Healing(typed, vocabulary), limits=everything)
    assert set(map(tuple, paths(tree))) == allowed


def test_longer_matches_and_greater_shares_are_likelier() -> None:
    tree = grow(proposal("repository", [occurrence(9, 1), occurrence(2, 2), occurrence(2, 3), occurrence(2, 3)]))
    assert list(tree.tokens) == [1, 3, 2]


def test_origin_and_source_are_those_of_the_longest_match_at_the_nodes_own_token() -> None:
    near = proposal("document", [occurrence(3, 7, 8, path="here.py", offset=100)])
    far = proposal("repository", [occurrence(6, 7, 9, path="there.py", offset=50)])
    tree = grow(near, far)
    origins = dict(
        zip(
            map(tuple, paths(tree)), ((tree.origin(node), tree.sources[node]) for node in range(len(tree))), strict=True
        )
    )
    assert origins[(7,)] == (Origin("there.py", 50), "repository")
    assert origins[(7, 9)] == (Origin("there.py", 51), "repository")
    assert origins[(7, 8)] == (Origin("here.py", 101), "document")


def test_limits_end_the_tree() -> None:
    sure = proposal("document", [occurrence(8, *range(10))])
    assert len(grow(sure, limits=Limits(64, 0.0, 3))) == 3
    assert len(grow(sure, limits=Limits(64, 1.0, 8))) == 0
    assert len(grow(sure, limits=Limits(0, 0.0, 8))) == 0


class Remembers:
    """A source with one text."""

    name = "document"

    def __init__(self, *text: int) -> None:
        self._text = text

    def propose(self, context: Sequence[int], depth: int) -> Proposal:
        found = []
        for place in range(1, len(self._text)):
            length = 0
            while length < min(place, len(context)) and self._text[place - 1 - length] == context[-1 - length]:
                length += 1
            if length:
                found.append(occurrence(length, *self._text[place : place + depth], offset=place))
        return proposal(self.name, sorted(found, key=lambda o: -o.length))


def test_typed_text_is_drafted_with_what_follows_it() -> None:
    vocabulary = SortedVocabulary([b"?", b"a", b"b", b"re", b"return", b" x", b" y"])
    drafter = TreeDrafter([Remembers(1, 2, 4, 5, 1, 4, 6)], FixedBudget(8), spelling=[4])
    tree = drafter.draft([2, 1, 2], 3, Healing(b"return", vocabulary))
    assert [4, 5] in paths(tree)
    assert all(path[0] in (3, 4) for path in paths(tree))
    assert [4] in paths(TreeDrafter([], FixedBudget(8), spelling=[4]).draft([1], 1, Healing(b"return", vocabulary)))


class Answers:
    """Knows places behind one context and none behind any other."""

    name = "document"

    def __init__(self, context: Sequence[int], *found: Occurrence) -> None:
        self._context, self._found = [*context], found

    def propose(self, context: Sequence[int], depth: int) -> Proposal:
        return proposal(self.name, self._found if [*context] == self._context else ())


def test_places_behind_typed_text_begin_where_it_does_and_agree_with_more_than_it() -> None:
    vocabulary = SortedVocabulary([b"?", b"a", b"b", b"re", b"return", b" x", b" y", b" z"])
    source = Answers([1, 4], occurrence(2, 5, offset=9), Occurrence(2, (6,), 1.0, NOWHERE), occurrence(1, 7, offset=3))
    tree = TreeDrafter([source], FixedBudget(8), spelling=[4]).draft([1], 1, Healing(b"return", vocabulary))
    origins = {tuple(tree.tokens[n] for n in tree.path_to(node)): tree.origin(node) for node in range(len(tree))}
    assert origins.keys() == {(4,), (4, 5), (4, 6)}
    assert origins[4, 5] == Origin("a.py", 9)
    assert origins[4, 6] is None


def test_drafts_that_fail_cool_down_and_recover() -> None:
    source = Remembers(*[1, 2, 3, 4] * 4)
    cost = StepCost({0: [(1, 10.0), (9, 18.0)]})
    drafter = TreeDrafter([source], MeasuredBudget(cost, max_nodes=8))
    context = [1, 2, 3, 4] * 3
    fresh = drafter.draft(context, 0, None)
    assert len(fresh) > 2
    for _ in range(12):
        drafter.observe(drafter.draft(context, 0, None), verdict())
    assert len(drafter.draft(context, 0, None)) < len(fresh)
    for _ in range(12):
        drafter.observe(fresh, verdict(*range(len(fresh))))
    assert len(drafter.draft(context, 0, None)) >= len(fresh)


def chain(*chances: float) -> DraftTree:
    n = len(chances)
    return DraftTree(range(n), range(-1, n - 1), range(1, n + 1), chances, [None] * n, ["x"] * n)


COST = StepCost({100: [(1, 10.0), (2, 11.0), (9, 18.0), (65, 200.0)], 300: [(1, 12.0), (2, 14.0), (65, 400.0)]})


def test_the_budget_is_where_tokens_per_millisecond_peak() -> None:
    budget = MeasuredBudget(COST, max_nodes=64)
    assert len(budget.cut(chain(*[0.99] * 30), 100)) == 8
    assert len(budget.cut(chain(0.9, 0.8, 0.05, 0.01), 100)) == 2
    assert len(budget.cut(chain(0.05, 0.04), 100)) == 0
    assert len(budget.cut(chain(0.9) if MARGIN < 1.7 else chain(), 100)) == 1
    assert len(MeasuredBudget(COST, max_nodes=3).cut(chain(*[0.99] * 30), 100)) == 3


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20), st.integers(50, 400))
def test_no_other_size_promises_more(chances: list[float], past: int) -> None:
    tree = chain(*sorted(chances, reverse=True))
    chosen = len(MeasuredBudget(COST, max_nodes=64).cut(tree, past))
    curve = COST.curve(past // 32 * 32)
    rates = [(1 + math.fsum(tree.path_probability[:n])) / curve[1 + n] for n in range(len(tree) + 1)]
    best = max(rates)
    assert rates[chosen] == pytest.approx(best) or (chosen == 0 and best <= rates[0] * MARGIN * (1 + 1e-9))


def test_logits_are_looked_at_for_successors_only_where_several_further_tokens_are_cheap() -> None:
    """A first guess that costs nothing is no reason: other sources fill it."""
    looked: list[int] = []

    def watched(n: int) -> list[list[int]]:
        looked.append(n)
        return [[1]]

    for nine_ms in (10.5, 20.0):
        cost = StepCost({0: [(1, 10.0), (2, 10.0), (9, nine_ms)]})
        drafter = TreeDrafter([], MeasuredBudget(cost, max_nodes=8), experience=Experience(successors=SuccessorTable()))
        tree = drafter.draft([1], 0, None)
        drafter.observe(tree, verdict()._replace(likeliest=watched))
        assert bool(looked) == (nine_ms < 11)
        looked.clear()


def test_costs_are_straight_between_measurements_and_never_fall() -> None:
    assert COST.ms(1, 0) == 10.0
    assert COST.ms(5, 100) == pytest.approx(14.0)
    assert COST.ms(1, 200) == pytest.approx(11.0)
    assert COST.ms(1, 5000) == pytest.approx(59.0)
    assert StepCost({7: [(1, 3.0), (2, 4.0)]}).ms(2, 5000) == 4.0
    dented = StepCost({0: [(1, 10.0), (2, 8.0), (4, 12.0)]})
    assert [dented.ms(n, 0) for n in (1, 2, 3, 4)] == [10.0, 10.0, 11.0, 12.0]
    with pytest.raises(ValueError, match="one token"):
        StepCost({0: [(2, 8.0)]})
