"""A small workspace in memory for tests of what other files add to a prompt: real search, no files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
import pytest

from rest_lsp import assembly
from rest_lsp.completion.context import ContextLimits, ExtraContext
from rest_lsp.completion.fim import FAMILIES, OtherFile, find_family
from rest_lsp.completion.request import CompletionRequest
from rest_lsp.completion.snapshot import take_snapshot
from rest_lsp.config import ContextKinds
from rest_lsp.datastore.hot import HotBuffers
from rest_lsp.datastore.occurrence import Rows
from rest_lsp.datastore.snapshot import Snapshot
from tests.fakes_completion import small_tokenizer

TOKENIZER = small_tokenizer()


class Shelf:
    """Documents by path."""

    open_paths: frozenset[str] = frozenset()

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._buffers = HotBuffers()
        for path, text in texts.items():
            self.put(path, text)

    def put(self, path: str, text: str) -> None:
        self._buffers.set(path, TOKENIZER.encode(text))

    def remove(self, path: str) -> None:
        self._buffers.drop(path)

    def documents_named(self, name: str) -> list[str]:
        return self._snapshot.documents_named(name)

    def document_ids(self, path: str) -> npt.NDArray[np.uint32] | None:
        return self._snapshot.living_ids(path)

    def find(
        self,
        context: Sequence[int],
        *,
        depth: int,
        max_length: int = 16,
        limit: int = 64,
        exclude: str | None = None,
    ) -> Rows:
        return self._snapshot.find(
            context,
            depth=depth,
            max_length=max_length,
            min_length=1,
            limit=limit,
            exclude=exclude,
            time_limit_ms=10_000,
        )

    @property
    def _snapshot(self) -> Snapshot:
        return Snapshot(buffers=self._buffers.views)


def know_a_separator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models of tests have no control token between files: another one takes its place."""
    families = [replace(FAMILIES[2], separator="<tool_call>")]
    monkeypatch.setattr(assembly, "find_family", partial(find_family, families=families))


def extra_context(shelf: Shelf, tokens: int = 2000, kinds: ContextKinds = "both") -> ExtraContext:
    return ExtraContext(TOKENIZER, shelf, ContextLimits(tokens, kinds))


def others(extra: ExtraContext, request: CompletionRequest) -> tuple[OtherFile, ...]:
    return extra.others(request, take_snapshot(request, 100_000))


def shown(files: Sequence[OtherFile]) -> dict[str, str]:
    """Text by path; chunks of one file after the other."""
    texts: dict[str, str] = {}
    for file in files:
        path = TOKENIZER.decode(file.path_ids).removesuffix("\n")
        texts[path] = texts.get(path, "") + TOKENIZER.decode(file.ids)
    return texts


def size_of(files: Sequence[OtherFile], path: str) -> int:
    """Ids that they add to a prompt of the document at `path`."""
    own = 1 + len(TOKENIZER.encode(f"{path}\n"))
    return sum(1 + len(file.path_ids) + len(file.ids) for file in files) + own if files else 0
