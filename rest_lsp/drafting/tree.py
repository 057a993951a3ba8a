"""The draft tree: prefix-closed arrays in best-first order.  Knows no source, no model and no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from rest_lsp.drafting.confidence import Evidence
from rest_lsp.drafting.source import NOWHERE, Origin

ROOT = -1
"""Parent of a first-level node: the root is the last token already decided, which is not part of the draft."""


@dataclass(frozen=True)
class DraftTree:
    """`n` guessed tokens.  A parent stands before its children, so cutting the arrays at any n leaves a valid tree.

    tokens[i]            token id
    parents[i]           index of the parent node, or ROOT
    depths[i]            1 for children of the root
    path_probability[i]  chance that the model accepts the node and all above it
    places[i]            where the guess was read, for provenance: the path down to it begins there (see `origin`)
    sources[i]           name of the source that knew it
    evidence[i]          what spoke for it; () when it was not weighed
    """

    tokens: Sequence[int] = ()
    parents: Sequence[int] = ()
    depths: Sequence[int] = ()
    path_probability: Sequence[float] = ()
    places: Sequence[Origin | None] = ()
    sources: Sequence[str] = ()
    evidence: Sequence[Evidence] = ()

    def __len__(self) -> int:
        return len(self.tokens)

    def cut(self, n: int) -> DraftTree:
        """The best `n` nodes."""
        if n >= len(self):
            return self
        return DraftTree(
            self.tokens[:n],
            self.parents[:n],
            self.depths[:n],
            self.path_probability[:n],
            self.places[:n],
            self.sources[:n],
            self.evidence[:n],
        )

    @cached_property
    def children(self) -> list[dict[int, int]]:
        """children[i + 1][token] = node; entry 0 holds the children of the root."""
        table: list[dict[int, int]] = [{} for _ in range(len(self) + 1)]
        for node, (token, parent) in enumerate(zip(self.tokens, self.parents, strict=True)):
            table[parent + 1][token] = node
        return table

    def child(self, node: int, token: int) -> int | None:
        """The child of `node` (or of ROOT) that guesses `token`."""
        return self.children[node + 1].get(token)

    def origin(self, node: int) -> Origin | None:
        """Where the token of `node` was read; None when it was read nowhere.  Asked of the few that are accepted."""
        place = self.places[node]
        if place is None or place == NOWHERE:
            return None
        return place._replace(offset=place.offset + self.depths[node] - 1)

    def depth_first(self) -> list[int]:
        """Nodes so that each one follows its parent or a finished subtree; children in best-first order."""
        order: list[int] = []
        stack = [ROOT]
        while stack:
            node = stack.pop()
            if node != ROOT:
                order.append(node)
            stack.extend(reversed(self.children[node + 1].values()))
        return order

    def path_to(self, node: int) -> list[int]:
        """Nodes from the first level down to `node`; empty for ROOT."""
        path: list[int] = []
        while node != ROOT:
            path.append(node)
            node = self.parents[node]
        return path[::-1]


EMPTY_TREE = DraftTree()
