"""The repository as a draft source: every other file, as the datastore knows it now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from rest_lsp.compiling import kernel
from rest_lsp.datastore.occurrence import DOCUMENT, NO_ROWS, TRAITS, Rows
from rest_lsp.drafting.source import Proposal

Ints = npt.NDArray[np.int32]
TraitsOf = Callable[[str], int]
"""The path of a document -> what is known of the places in it, as bits of `traits`."""


_UNKNOWN = -1


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
        self._paths: Sequence[str] = ()
        self._known: Ints = np.zeros(0, np.int32)

    def propose(self, context: Sequence[int], depth: int) -> Proposal:
        found = self._datastore.find(
            context, depth=depth, max_length=self._max_length, limit=self._limit, exclude=self._exclude
        )
        if len(found.ints):
            self._mark(found)
        return Proposal(self.name, found)

    def _mark(self, found: Rows) -> None:
        """Ask for the traits of each document once, and as long as its number is its own."""
        if found.paths is not self._paths:
            self._paths, self._known = found.paths, np.full(len(found.paths), _UNKNOWN, np.int32)
        while (document := _mark(found.ints, self._known)) >= 0:
            self._known[document] = self._traits_of(found.paths[document])


def compile_ahead() -> None:
    """Compile it, or read it from where it is kept, so that no draft waits for it."""
    _mark(NO_ROWS.ints, np.zeros(0, np.int32))


@kernel
def _mark(ints: Ints, traits: Ints) -> int:
    """Set the traits of rows by their documents; returns the first whose traits are unknown, -1 when all are known."""
    for row in ints:
        if traits[row[DOCUMENT]] == _UNKNOWN:
            return int(row[DOCUMENT])
        row[TRAITS] = traits[row[DOCUMENT]]
    return -1
