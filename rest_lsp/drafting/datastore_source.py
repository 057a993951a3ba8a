"""The repository as a draft source: every other file, as the datastore knows it now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from rest_lsp.datastore.occurrence import TRAITS, Rows
from rest_lsp.drafting.source import Proposal

TraitsOf = Callable[[str], int]
"""The path of a document -> what is known of the places in it, as bits of `traits`."""


class Searchable(Protocol):
    """The part of a datastore that drafting needs."""

    def find(
        self, context: Sequence[int], *, depth: int, max_length: int = ..., limit: int = ..., exclude: str | None = ...
    ) -> Rows: ...


class DatastoreSource:
    """`exclude` is the document being completed: its saved copy holds the answer around the cursor, or an old one.

    `name` tells tiers apart: the repository, or a shared store.
    """

    def __init__(
        self,
        datastore: Searchable,
        traits_of: TraitsOf,
        *,
        exclude: str | None,
        max_length: int = 16,
        limit: int = 18,
        name: str = "repository",
    ) -> None:
        self.name = name
        self._datastore, self._traits_of, self._exclude = datastore, traits_of, exclude
        self._max_length, self._limit = max_length, limit

    def propose(self, context: Sequence[int], depth: int) -> Proposal:
        found = self._datastore.find(
            context, depth=depth, max_length=self._max_length, limit=self._limit, exclude=self._exclude
        )
        found.ints[:, TRAITS] = [self._traits_of(path) for path in found.paths]
        return Proposal(self.name, found)
