"""Which parts of other files stand before the prompt.  Chosen seldom: every change has the whole prompt read again.

All text comes from the datastore, so that what its rules leave out never reaches a prompt.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rest_lsp.completion.context_definitions import Definitions
from rest_lsp.completion.context_similar import SimilarPlaces
from rest_lsp.completion.context_text import Chunk, Documents, similarity
from rest_lsp.completion.fim import OtherFile
from rest_lsp.completion.request import CompletionRequest
from rest_lsp.completion.snapshot import Snapshot
from rest_lsp.config import ContextKinds
from rest_lsp.drafting.imports import ImportedName, imported_names
from rest_lsp.tokenizer import Tokenizer

REGION_LINES = 24
"""As far from where it was chosen the choice is kept."""
TOO_SIMILAR = 0.5
"""A chunk with so much of another one says nothing new: llama.vim's rule for its ring."""
KNOWN_ALREADY = 0.9
"""And one with so much of the cursor's own text.  Not half as llama.vim has it, whose ring holds the document's own
chunks: here all are of other files, and where one is nearly a copy it says how the line at the cursor goes on."""
KEPT_DOCUMENTS = 64
NEAR_LINES = 40


class _Part(NamedTuple):
    """A chunk and its ids."""

    chunk: Chunk
    file: OtherFile

    @property
    def cost(self) -> int:
        return 1 + len(self.file.path_ids) + len(self.file.ids)


class _Chosen(NamedTuple):
    """For which imports and around which line."""

    imports: tuple[ImportedName, ...]
    line: int
    parts: tuple[_Part, ...]


@dataclass(frozen=True)
class ContextLimits:
    """`tokens` is what all of it may take, paths and separators included."""

    tokens: int
    kinds: ContextKinds


class ExtraContext:
    """Remembers what it chose for each document; used from one thread."""

    def __init__(self, tokenizer: Tokenizer, documents: Documents, limits: ContextLimits) -> None:
        self._tokenizer, self._documents, self._limits = tokenizer, documents, limits
        self._definitions = Definitions(tokenizer, documents)
        self._similar = SimilarPlaces(tokenizer, documents)
        self._kept: OrderedDict[str, _Chosen] = OrderedDict()
        if limits.kinds != "similar":
            # The first question takes long where there are many documents, and nobody waits for this one.
            documents.documents_named("")

    def others(self, request: CompletionRequest, snapshot: Snapshot) -> tuple[OtherFile, ...]:
        """The same ids in the same order while somebody types in one region of a document with the same imports."""
        path = request.path
        if path is None:
            return ()
        imports = tuple(imported_names(_without_line(request), path)) if request.language == "python" else ()
        kept = self._kept.pop(path, None)
        if kept is None or not self._still_holds(kept, imports, snapshot.line):
            kept = _Chosen(imports, snapshot.line, self._choose(path, imports, snapshot))
        self._kept[path] = kept
        while len(self._kept) > KEPT_DOCUMENTS:
            self._kept.popitem(last=False)
        return tuple(part.file for part in kept.parts)

    def _still_holds(self, kept: _Chosen, imports: tuple[ImportedName, ...], line: int) -> bool:
        """A file that has gone, or must not be read any more, has its text taken back at once.

        Where nothing was found, the next line asks again: the index may have been empty.
        """
        if kept.imports != imports or abs(line - kept.line) > (REGION_LINES if kept.parts else 0):
            return False
        return all(self._documents.document_ids(part.chunk.path) is not None for part in kept.parts)

    def _choose(self, path: str, imports: Sequence[ImportedName], snapshot: Snapshot) -> tuple[_Part, ...]:
        """Definitions first, since they change least; what is most similar comes last, next to the document."""
        near = _near(snapshot)
        room, chosen = self._limits.tokens - 1 - len(self._path_ids(path)), list[_Part]()
        if self._limits.kinds != "similar":
            share = room if self._limits.kinds == "definitions" else room // 2
            chosen += map(self._encoded, self._definitions.chunks(path, imports, near, share))
            room -= sum(part.cost for part in chosen)
        similar: list[_Part] = []
        if self._limits.kinds != "definitions":
            for part in map(self._encoded, self._similar.chunks(path, snapshot)):
                if part.cost <= room and _is_new(part.chunk, near, (*chosen, *similar)):
                    similar.append(part)
                    room -= part.cost
        return (*chosen, *reversed(similar))

    def _encoded(self, chunk: Chunk) -> _Part:
        return _Part(chunk, OtherFile(self._path_ids(chunk.path), self._tokenizer.encode(chunk.text)))

    def _path_ids(self, path: str) -> Sequence[int]:
        return self._tokenizer.encode(f"{path}\n")


def _is_new(chunk: Chunk, near: str, chosen: Sequence[_Part]) -> bool:
    return similarity(chunk.text, near) <= KNOWN_ALREADY and all(
        similarity(chunk.text, part.chunk.text) <= TOO_SIMILAR for part in chosen
    )


def _near(snapshot: Snapshot) -> str:
    above = snapshot.before.split("\n")[-NEAR_LINES:]
    below = snapshot.after.split("\n", NEAR_LINES)[:NEAR_LINES]
    return "\n".join(above) + "\n".join(below)


def _without_line(request: CompletionRequest) -> str:
    """The document but for the line that is being typed: half an import is none."""
    start = request.text.rfind("\n", 0, request.offset) + 1
    end = request.text.find("\n", request.offset)
    return request.text[:start] + (request.text[end:] if end >= 0 else "")
