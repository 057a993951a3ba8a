"""Definitions of the names that a Python document imports from its workspace, those used near the cursor first."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from rest_lsp.completion.context_text import Chunk, Documents
from rest_lsp.drafting.imports import ImportedName, imported_names
from rest_lsp.syntax.outline import Definition, outline
from rest_lsp.tokenizer import Tokenizer

MAX_HOPS = 3
"""Packages pass names on; so many files are looked through for where one is defined."""
LARGEST_SHARE = 0.5
"""Of the room, what one class may take."""
_WORD = re.compile(r"\w+")
_MEMBER = re.compile(r"(\w[\w.]*)\.(\w+)")
_ROOTS = frozenset({"src", "lib", "python"})
"""Folders in which packages lie; besides, they may lie in any folder above the document."""
_EXTENSIONS = (".py", ".pyi")


class _Found(NamedTuple):
    """A definition, where it is, and how often it is named near the cursor."""

    path: str
    definition: Definition
    uses: int


class Definitions:
    """Remembers the outlines of files by their text."""

    def __init__(self, tokenizer: Tokenizer, documents: Documents) -> None:
        self._tokenizer, self._documents = tokenizer, documents
        self._outline = lru_cache(maxsize=64)(outline)

    def chunks(self, path: str, imports: Sequence[ImportedName], near: str, room: int) -> list[Chunk]:
        """One for each file, in the order of the imports, in `room` tokens together; none of the document itself."""
        words, members = Counter(_WORD.findall(near)), Counter(_MEMBER.findall(near))
        found = sorted(self._found(path, imports, words, members), key=lambda one: -one.uses)
        texts: dict[str, str] = {}
        for one in found:
            cost_of_path = 0 if one.path in texts else 1 + self._n_tokens(f"{one.path}\n")
            text = self._cut(one.definition, words, min(room, int(LARGEST_SHARE * room) + cost_of_path) - cost_of_path)
            if text:
                room -= cost_of_path + self._n_tokens(text)
                texts[one.path] = texts.get(one.path, "") + text
        return [Chunk(name, text) for name, text in texts.items()]

    def _found(
        self, path: str, imports: Sequence[ImportedName], words: Counter[str], members: Counter[tuple[str, str]]
    ) -> Iterator[_Found]:
        seen: set[tuple[str, str]] = set()
        for imported in imports:
            for wanted, uses in _wanted(imported, words, members):
                where = self._defined(path, wanted, MAX_HOPS)
                if where is not None and where.path != path and (where.path, wanted.name) not in seen:
                    seen.add((where.path, wanted.name))
                    yield where._replace(uses=uses)

    def _defined(self, path: str, imported: ImportedName, hops: int) -> _Found | None:
        """Where the name is defined, through modules that only pass it on."""
        file = self._file(imported, path)
        text = self._text(file) if file is not None else None
        if file is None or text is None or not hops:
            return None
        definition = self._outline(text).get(imported.name)
        if definition is not None:
            return _Found(file, definition, 0)
        passed_on = (one for one in imported_names(text, file) if one.bound == imported.name and one.name)
        return next((found for one in passed_on if (found := self._defined(file, one, hops - 1))), None)

    def _file(self, imported: ImportedName, path: str) -> str | None:
        """The file of a module.  What an absolute import names must lie where packages begin."""
        module = imported.module
        candidates = [
            candidate
            for candidate in self._documents.documents_named(module.rpartition("/")[2])
            if candidate.endswith(_EXTENSIONS) and self._is_file_of(candidate, imported, path)
        ]
        return min(
            candidates, key=lambda candidate: (-_shared(candidate, path), len(candidate), candidate), default=None
        )

    def _is_file_of(self, candidate: str, imported: ImportedName, path: str) -> bool:
        name = candidate.rpartition(".")[0].removesuffix("/__init__")
        if name == imported.module or imported.is_relative:
            return name == imported.module
        above = name.removesuffix(f"/{imported.module}")
        is_searched = path.startswith(f"{above}/") or above.rpartition("/")[2] in _ROOTS
        return above != name and is_searched and self._documents.document_ids(f"{above}/__init__.py") is None

    def _text(self, path: str) -> str | None:
        ids = self._documents.document_ids(path)
        return self._tokenizer.decode(ids.tolist()) if ids is not None else None

    def _cut(self, definition: Definition, words: Counter[str], room: int) -> str:
        """As much as fits `room` tokens, members that are named near the cursor first; "" when not even the head does.

        Members keep their order.
        """
        room -= self._n_tokens(definition.head)
        if room < 0:
            return ""
        members = definition.members
        kept: set[int] = set()
        for index in sorted(range(len(members)), key=lambda index: (-words[members[index].name], index)):
            room -= self._n_tokens(members[index].head)
            if room < 0:
                break
            kept.add(index)
        return definition.head + "".join(members[index].head for index in sorted(kept))

    def _n_tokens(self, text: str) -> int:
        return len(self._tokenizer.encode(text))


def _wanted(
    imported: ImportedName, words: Counter[str], members: Counter[tuple[str, str]]
) -> Iterator[tuple[ImportedName, int]]:
    """Names to look for, with how often they stand near the cursor: also those of a module that is imported whole."""
    if imported.name and words[imported.bound]:
        yield imported, words[imported.bound]
    module = f"{imported.module}/{imported.name}".strip("/")
    for (owner, name), uses in members.items():
        if owner == imported.bound:
            yield imported._replace(module=module, name=name), uses


def _shared(one: str, other: str) -> int:
    """Folders that two paths have in common."""
    pairs = zip(one.split("/")[:-1], other.split("/")[:-1], strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(one.count("/"), other.count("/")))
