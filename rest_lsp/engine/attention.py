"""Attention of a draft tree over the KV cache that repeats plain decoding's own sums node by node: bit-exact.

What suits accelerators is in `tree_attention`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from rest_lsp.drafting.tree import ROOT, DraftTree


@dataclass(frozen=True)
class Run:
    """Rows of one unbranched stretch of a depth-first walk: one copy writes their slots, start … stop - 1.

    `picked` are the rows as an index, None when they are all rows in order.
    """

    rows: Sequence[int]
    start: int
    picked: Tensor | None

    @property
    def stop(self) -> int:
        return self.start + len(self.rows)


@dataclass(frozen=True)
class TreeLayout:
    """Where the rows of one forward pass stand: row 0 is the root, row i + 1 is node i of the tree."""

    positions: Sequence[int]
    parents: Sequence[int]
    runs: Sequence[Run]

    @classmethod
    def of(cls, tree: DraftTree, past: int) -> TreeLayout:
        """The layout of `tree` behind a root at position `past`."""
        positions = [past, *(past + depth for depth in tree.depths)]
        return cls(positions, [ROOT, *(parent + 1 for parent in tree.parents)], _runs(tree, positions))

    @property
    def is_chain(self) -> bool:
        """Whether no two rows compete for a slot."""
        return len(self.runs) == 1

    @cached_property
    def row_of_output(self) -> Tensor:
        """Inverse of the walk: where in the runs' concatenation the row stands."""
        return torch.argsort(torch.tensor([row for run in self.runs for row in run.rows]))


def pathwise(
    queries: Tensor, keys: Tensor, values: Tensor, cache: tuple[Tensor, Tensor], layout: TreeLayout, scale: float
) -> Tensor:
    """Attention of every row to the slots [0, its position], which hold exactly its ancestors when it is visited.

    queries  [n, n_kv_heads, group, head_dim]
    keys, values  [n_kv_heads, n, head_dim], already rotated
    cache    keys and values of one layer, [n_kv_heads, capacity, head_dim]; the rows' slots are overwritten
    returns  [n, n_kv_heads, group, head_dim]
    """
    cached_keys, cached_values = cache
    outputs: list[Tensor] = []
    for run in layout.runs:
        cached_keys[:, run.start : run.stop] = keys if run.picked is None else keys[:, run.picked]
        cached_values[:, run.start : run.stop] = values if run.picked is None else values[:, run.picked]
        for end, row in enumerate(run.rows, start=run.start + 1):
            outputs.append(
                F.scaled_dot_product_attention(
                    queries[row, None], cached_keys[None, :, :end], cached_values[None, :, :end], scale=scale
                )
            )
    if len(outputs) == 1:
        return outputs[0]
    joined = torch.cat(outputs)
    return joined if layout.is_chain else joined[layout.row_of_output]


def _runs(tree: DraftTree, positions: Sequence[int]) -> list[Run]:
    walks: list[list[int]] = [[0]]
    for node in tree.depth_first():
        row, parent_row = node + 1, tree.parents[node] + 1
        if walks[-1][-1] == parent_row:
            walks[-1].append(row)
        else:
            walks.append([row])
    return [Run(rows, positions[rows[0]], None if len(walks) == 1 else torch.tensor(rows)) for rows in walks]
