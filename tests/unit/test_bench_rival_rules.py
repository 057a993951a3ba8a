"""REST's and SuffixDecoding's rules, on occurrences that a reader can count."""

from __future__ import annotations

from collections.abc import Sequence

from rest_lsp.bench.rival_rules import LongestMatchRule, SuffixRule, most_frequent
from rest_lsp.drafting.source import Occurrence, Origin, Proposal, rows_of
from rest_lsp.drafting.tree import ROOT, DraftTree


class Remembered:
    """A source that always proposes the same."""

    def __init__(self, name: str, *found: tuple[int, tuple[int, ...], float]) -> None:
        self.name = name
        self._found = [Occurrence(length, tokens, weight, Origin(name, 10)) for length, tokens, weight in found]

    def propose(self, context: Sequence[int], depth: int) -> Proposal:
        found = [place._replace(tokens=place.tokens[:depth]) for place in self._found]
        return Proposal(self.name, rows_of(found, 0))


def paths(tree: DraftTree) -> list[tuple[int, ...]]:
    return [tuple(tree.tokens[node] for node in tree.path_to(index)) for index in range(len(tree))]


def test_rest_counts_prefixes_behind_the_longest_match_alone() -> None:
    source = Remembered("r", (5, (1, 2, 3), 1.0), (5, (1, 2, 4), 1.0), (5, (7,), 1.0), (4, (8, 8, 8), 50.0))
    tree = LongestMatchRule([source], nodes=64).draft([0], 1, None)
    assert paths(tree)[:2] == [(1,), (1, 2)]
    assert set(paths(tree)) == {(1,), (1, 2), (1, 2, 3), (1, 2, 4), (7,)}
    assert tree.path_probability[0] == 2 / 3
    assert LongestMatchRule([source], nodes=2).draft([0], 1, None).tokens == [1, 2]


def test_rest_needs_two_matching_tokens_and_drafts_ten_at_most() -> None:
    assert len(LongestMatchRule([Remembered("r", (1, (1, 2), 9.0))], nodes=64).draft([0], 1, None)) == 0
    assert len(LongestMatchRule([], nodes=64).draft([0], 1, None)) == 0
    long = Remembered("r", (2, tuple(range(30)), 1.0))
    assert LongestMatchRule([long], nodes=64).draft([0], 1, None).depths == list(range(1, 11))


def test_sources_of_one_length_are_counted_together() -> None:
    sources = [Remembered("a", (3, (1, 2), 1.0)), Remembered("b", (3, (1, 5), 1.0), (3, (1, 5), 1.0))]
    tree = LongestMatchRule(sources, nodes=2).draft([0], 1, None)
    assert paths(tree) == [(1,), (1, 5)]
    assert tree.sources == ["a", "b"]


def test_suffix_decoding_takes_the_length_whose_tree_promises_most() -> None:
    """Four tokens match once, and three 4 times: what follows three of them says less per node but here more in sum."""
    unsure = Remembered("r", (4, (1,), 1.0), (3, (1, 2, 3), 3.0))
    tree = SuffixRule([unsure]).draft([0], 1, None)
    assert paths(tree) == [(1,), (1, 2), (1, 2, 3)]
    sure = Remembered("r", (4, (1, 2, 3, 4, 5), 1.0), (3, (9, 9, 9), 1.0))
    assert SuffixRule([sure]).draft([0], 1, None).tokens == [1, 2, 3, 4], "as many nodes as tokens match"


def test_suffix_decoding_leaves_out_what_is_unlikely_and_compares_sources() -> None:
    rare = Remembered("r", (8, (1,), 11.0), (8, (2,), 1.0))
    assert SuffixRule([rare]).draft([0], 1, None).tokens == [1]
    better = Remembered("s", (8, (5, 6, 7), 1.0))
    tree = SuffixRule([rare, better]).draft([0], 1, None)
    assert (tree.tokens, set(tree.sources)) == ([5, 6, 7], {"s"})
    assert len(SuffixRule([]).draft([0], 1, None)) == 0


def test_a_tree_is_prefix_closed_and_says_where_each_token_was_read() -> None:
    source = Remembered("r", (4, (1, 2, 3), 2.0), (4, (1, 9), 1.0), (4, (5, 5), 1.0))
    tree = LongestMatchRule([source], nodes=64).draft([0], 1, None)
    for node, parent in enumerate(tree.parents):
        assert parent < node
        assert tree.depths[node] == (1 if parent == ROOT else tree.depths[parent] + 1)
        origin = tree.origin(node)
        assert origin is not None
        assert origin.offset == 10 + tree.depths[node] - 1
    assert list(tree.path_probability) == sorted(tree.path_probability, reverse=True)
    assert most_frequent([], 5, 5).score == 0
