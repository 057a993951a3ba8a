"""What a cell of a notebook is part of: the cells above and below it that are in its language, joined to one text.

A blank line stands between cells, as in a file.  Markdown and cells in other languages are left out.  A document that
is no cell is the whole of itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from lsprotocol import types

from rest_lsp.completion.request import Cell, SourceUse
from rest_lsp.server.documents import Document, EditorWorkspace
from rest_lsp.syntax.magics import language_of_cell

SYNC_OPTIONS = types.NotebookDocumentSyncOptions(
    [types.NotebookDocumentFilterWithCells(notebook="*", cells=[types.NotebookCellLanguage("*")])]
)
"""All cells of all notebooks, since the language of a cell may be another than the editor says."""

FindDocument = Callable[[str], Document | None]


class Whole(NamedTuple):
    """What a completion looks at: `document` between `before` and `after`.

    uri     names all of it: the notebook, or the document itself
    cells   the first line and the URI of each cell, in order; none outside of notebooks
    """

    document: Document
    uri: str
    language: str
    before: str = ""
    after: str = ""
    cells: tuple[tuple[int, str], ...] = ()

    @property
    def text(self) -> str:
        return self.before + self.document.source + self.after

    @property
    def cell(self) -> Cell | None:
        start = len(self.before)
        return Cell(start, start + len(self.document.source)) if self.cells else None

    def located(self, source: SourceUse, name: str) -> SourceUse:
        """A source in this very text, which is called `name`, at its line in its cell; others as they are."""
        if not self.cells or source.path != name or source.line is None:
            return source
        first, uri = next(cell for cell in reversed(self.cells) if cell[0] <= source.line)
        return source._replace(path=uri, line=source.line - first)


class _Part(NamedTuple):
    uri: str
    text: str


def whole_in(workspace: EditorWorkspace, document: Document) -> Whole:
    return whole_of(document, workspace.notebook_of(document.uri), workspace.open_document)


def whole_of(document: Document, notebook: types.NotebookDocument | None, find: FindDocument) -> Whole:
    """`notebook` is the one that the document is a cell of, None for a document by itself."""
    cells = notebook.cells if notebook is not None else []
    uris = [unquote(cell.document) for cell in cells]
    if notebook is None or unquote(document.uri) not in uris:
        return Whole(document, document.uri, document.language)
    at = uris.index(unquote(document.uri))
    language, kind = language_of_cell(document.source, document.language), cells[at].kind
    gap = "\r\n\r\n" if document.lines[0].endswith("\r\n") else "\n\n"
    above = list(_parts(cells[:at], kind, language, find))
    below = list(_parts(cells[at + 1 :], kind, language, find))
    return Whole(
        document,
        notebook.uri,
        language,
        before="".join(part.text + gap for part in above),
        after="".join(gap + part.text for part in below),
        cells=tuple(_with_first_lines([*above, _Part(document.uri, document.source), *below])),
    )


def _parts(
    cells: Sequence[types.NotebookCell], kind: types.NotebookCellKind, language: str, find: FindDocument
) -> Iterator[_Part]:
    """The cells of `kind` and `language` that say something, without the line ends behind their last line."""
    for cell in cells:
        document = find(cell.document) if cell.kind == kind else None
        if document is not None and language_of_cell(document.source, document.language) == language:
            text = document.source.rstrip("\r\n")
            if text.strip():
                yield _Part(document.uri, text)


def _with_first_lines(parts: Sequence[_Part]) -> Iterator[tuple[int, str]]:
    line = 0
    for part in parts:
        yield line, part.uri
        line += part.text.count("\n") + 2
