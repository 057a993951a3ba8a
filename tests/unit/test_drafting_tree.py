"""The draft tree's promises: prefix-closed, cut anywhere, walked depth first."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from rest_lsp.drafting.tree import EMPTY_TREE, ROOT, DraftTree
from tests.engines import random_tree

trees = st.integers(0, 10_000).map(lambda seed: random_tree(random.Random(seed), 7))


def check_valid(tree: DraftTree) -> None:
    for node, parent in enumerate(tree.parents):
        assert parent < node
        assert tree.depths[node] == (1 if parent == ROOT else tree.depths[parent] + 1)
        assert tree.child(parent, tree.tokens[node]) == node
    lengths = {len(tree.tokens), len(tree.parents), len(tree.depths), len(tree.path_probability)}
    assert lengths == {len(tree.places)} == {len(tree.sources)} == {len(tree)}


@given(trees, st.integers(0, 40))
def test_a_cut_tree_is_a_tree(tree: DraftTree, n: int) -> None:
    check_valid(tree)
    cut = tree.cut(n)
    assert len(cut) == min(n, len(tree))
    check_valid(cut)


@given(trees)
def test_depth_first_visits_every_node_after_its_parent_and_with_its_subtree_together(tree: DraftTree) -> None:
    order = tree.depth_first()
    assert sorted(order) == list(range(len(tree)))
    open_path: list[int] = []
    for node in order:
        while open_path and open_path[-1] != tree.parents[node]:
            open_path.pop()
        assert (open_path[-1] if open_path else ROOT) == tree.parents[node]
        open_path.append(node)


@given(trees)
def test_a_path_leads_from_the_root_to_its_node(tree: DraftTree) -> None:
    for node in range(len(tree)):
        path = tree.path_to(node)
        assert [tree.depths[n] for n in path] == list(range(1, len(path) + 1))
        assert path[-1] == node
        assert [tree.parents[n] for n in path] == [ROOT, *path[:-1]]
    assert tree.path_to(ROOT) == []


def test_the_empty_tree_has_no_children() -> None:
    assert len(EMPTY_TREE) == 0
    assert EMPTY_TREE.child(ROOT, 3) is None
    assert EMPTY_TREE.depth_first() == []
