"""Real text for measurements of the datastore: Python's standard library and installed packages, in real tokens."""

from __future__ import annotations

import random
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rest_lsp.datastore.rules import IndexRules
from rest_lsp.datastore.segment import NewDocument
from rest_lsp.datastore.source_file import Content, Unreadable, indexable_text, read_content
from rest_lsp.errors import RestLspError
from rest_lsp.tokenizer import Tokenizer

LEFT_OUT = frozenset(("__pycache__", "site-packages", "idlelib", "lib2to3"))
CONTEXT = 256


class TextFile(NamedTuple):
    """A file of an installed library."""

    root: Path
    path: str

    @property
    def label(self) -> str:
        return f"{self.root.name}/{self.path}"


class Corpus(NamedTuple):
    """Documents to index, and contexts from files that are not among them."""

    documents: list[NewDocument]
    contexts: list[list[int]]

    @property
    def n_tokens(self) -> int:
        return sum(len(document.ids) for document in self.documents)


def library_files() -> Iterator[TextFile]:
    """Python files of the standard library, then of each installed package by name."""
    paths = sysconfig.get_paths()
    roots = [Path(paths["stdlib"]), *sorted(path for path in Path(paths["purelib"]).iterdir() if path.is_dir())]
    for root in roots:
        for path in sorted(root.rglob("*.py")):
            relative = path.relative_to(root)
            if LEFT_OUT.isdisjoint(relative.parts):
                yield TextFile(root, relative.as_posix())


def read_corpus(tokenizer: Tokenizer, n_tokens: int, n_contexts: int, seed: int = 1) -> Corpus:
    """About `n_tokens` real tokens, and contexts drawn from every tenth file, which is held out.

    Raises RestLspError when what is installed is too little text.
    """
    documents: list[NewDocument] = []
    held_out: list[list[int]] = []
    total = 0
    for number, file in enumerate(library_files()):
        content = _indexable(file)
        if content is None:
            continue
        ids = tokenizer.encode(content[1])
        if number % 10 == 9:
            held_out.append(ids)
            continue
        documents.append(NewDocument(file.label, content[0].content_hash, ids))
        total += len(ids)
        if total >= n_tokens:
            return Corpus(documents, draw_contexts(held_out, n_contexts, seed))
    raise RestLspError(
        f"The installed packages hold only {total:,} tokens of Python.", "Ask for a smaller size with --sizes."
    )


def draw_contexts(texts: Sequence[Sequence[int]], n_contexts: int, seed: int) -> list[list[int]]:
    """Ends of context at random places."""
    rng = random.Random(seed)
    usable = [text for text in texts if len(text) > CONTEXT]
    chosen = rng.choices(usable, [len(text) for text in usable], k=n_contexts)
    ends = [rng.randrange(32, len(text)) for text in chosen]
    return [list(text[max(0, end - CONTEXT) : end]) for text, end in zip(chosen, ends, strict=True)]


def _indexable(file: TextFile) -> tuple[Content, str] | None:
    rules = IndexRules()
    content = read_content(file.root.resolve(), file.path, rules)
    if isinstance(content, Unreadable):
        return None
    text = indexable_text(content.data)
    return None if isinstance(text, Unreadable) else (content, text)
