"""How near another file is to the document: open, imported, in the same folder, named alike.  Paths and text only."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache, lru_cache

from rest_lsp.drafting.imports import imported_modules, module_suffixes
from rest_lsp.drafting.traits import IMPORTED, NEIGHBOUR, OPEN, REPOSITORY

_AFFIXES = ("test_", "_test", "tests_", "_tests", "_spec")
_SHORTEST_STEM = 3


class Affinity:
    """`traits` of places in other files, for one document; what was found out about a path is remembered."""

    def __init__(self, path: str | None, text: str, *, open_paths: Collection[str] = ()) -> None:
        """`path` is relative to the workspace, with slashes; None for a buffer without a file."""
        is_python = path is not None and path.endswith((".py", ".pyi"))
        self._modules = imported_modules(text, path) if path and is_python else frozenset()
        self._folder = _folder(path) if path else None
        self._stem = _stem(path) if path else ""
        self._open_paths = open_paths
        self.traits = cache(self._traits)

    def _traits(self, path: str) -> int:
        traits = REPOSITORY
        if path in self._open_paths:
            traits |= OPEN
        if self._modules and not self._modules.isdisjoint(module_suffixes(path)):
            traits |= IMPORTED
        if _folder(path) == self._folder or (len(self._stem) >= _SHORTEST_STEM and _stem(path) == self._stem):
            traits |= NEIGHBOUR
        return traits


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


@lru_cache(maxsize=8192)
def _stem(path: str) -> str:
    """The name of a file less what tells a test from what it tests."""
    stem = path.rpartition("/")[2].partition(".")[0].lower()
    for affix in _AFFIXES:
        stem = stem.removeprefix(affix).removesuffix(affix)
    return stem
