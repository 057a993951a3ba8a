"""Where parts of other files come from, one such part, and how alike two pieces of text are."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from rest_lsp.drafting.datastore_source import Searchable


class Documents(Searchable, Protocol):
    """The part of a datastore that choosing parts of other files needs."""

    def documents_named(self, name: str) -> list[str]: ...
    def document_ids(self, path: str) -> npt.NDArray[np.uint32] | None: ...
    @property
    def open_paths(self) -> frozenset[str]: ...


class Chunk(NamedTuple):
    """Whole lines of the document at `path`, or an outline of some."""

    path: str
    text: str


def similarity(one: str, other: str) -> float:
    """Share of the lines of `one` that stand in the other text, too; blank lines count nothing."""
    lines = _lines(one)
    return (lines & _lines(other)).total() / lines.total() if lines else 0.0


def _lines(text: str) -> Counter[str]:
    return Counter(line for raw in text.split("\n") if (line := raw.strip()))
