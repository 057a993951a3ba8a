"""The repository as a draft source: every other file, as the datastore knows it now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from rest_lsp.drafting.source import Occurrence, Proposal

TraitsOf = Callable[[str], int]
"""The path of a document -> what is known of the places in it, as bits of `traits`."""


class Searchable(Protocol):
    """The part of a datastore that drafting needs."""

    def occurrences(
        self, context: Sequence[int], *, depth: int, max_length: int = ..., limit: int = ..., exclude: str | None = ...
    ) -> list[Occurrence]: ...


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
        found = self._datastore.occurrences(
            context, depth=depth, max_length=self._max_length, limit=self._limit, exclude=self._exclude
        )
        return Proposal(self.name, found, [self._traits_of(occurrence.origin.path) for occurrence in found])
