"""A part of another file, and how alike two pieces of text are."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple


class Chunk(NamedTuple):
    """Whole lines of the document at `path`, or an outline of some."""

    path: str
    text: str


def similarity(one: str, other: str) -> float:
    """Share of the lines of the shorter text that stand in the other one, too; blank lines count nothing."""
    first, second = _lines(one), _lines(other)
    fewer = min(first.total(), second.total())
    return (first & second).total() / fewer if fewer else 0.0


def _lines(text: str) -> Counter[str]:
    return Counter(line for raw in text.split("\n") if (line := raw.strip()))
