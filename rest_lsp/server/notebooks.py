"""What a cell of a notebook is part of: the cells above and below it that are in its language, joined to one text.

A blank line stands between cells, as in a file.  To a cell of code, Markdown is comment, as in scripts that are made of
notebooks; a cell of Markdown sees Markdown alone.  Cells in other languages are left out.  A document that is no cell
is the whole of itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from lsprotocol import types

from rest_lsp.completion.request import Cell, SourceUse
from rest_lsp.languages import line_comment
from rest_lsp.server.documents import Document, EditorWorkspace
from rest_lsp.syntax.magics import language_of_cell

SYNC_OPTIONS = types.NotebookDocumentSyncOptions(
    [types.NotebookDocumentFilterWithCells(notebook="*", cells=[types.NotebookCellLanguage("*")])]
)
"""All cells of all notebooks, since the language of a cell may be another than the editor says."""

MOST_PROSE = 800
"""Characters of one cell of Markdown that stand beside code: about a quarter of the prompt's usual budget."""
MARKDOWN_MARK = "%% [markdown]"
"""With it, the model takes the comments below for what the next cell does, and is surer of its code."""
_EMBEDDED = ";base64,"
_MARKDOWN = "markdown"

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
        first, uri = next((cell for cell in reversed(self.cells) if cell[0] <= source.line), self.cells[0])
        return source._replace(path=uri, line=max(0, source.line - first))


class _Part(NamedTuple):
    """What a cell says, and how many lines stand above its own."""

    uri: str
    text: str
    n_above: int = 0


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
    """What cells of `kind` and `language` say, without the line ends behind their last line; to code also Markdown."""
    comment = line_comment(language) if kind == types.NotebookCellKind.Code else None
    for cell in cells:
        document = find(cell.document)
        if document is None:
            continue
        if cell.kind == kind and language_of_cell(document.source, document.language) == language:
            text = document.source.rstrip("\r\n")
            if text.strip():
                yield _Part(document.uri, text)
        elif cell.kind != kind and comment is not None and document.language == _MARKDOWN:
            text = _commented(document.lines, comment)
            if text:
                yield _Part(document.uri, f"{comment} {MARKDOWN_MARK}\n{text}", n_above=1)


def _commented(lines: Sequence[str], comment: str) -> str:
    """Line for line, so that its places stay those of the cell.  Of very much only the beginning, in whole lines."""
    n_lines = next((n for n in range(len(lines), 0, -1) if lines[n - 1].strip()), 0)
    said = "".join(_comment_line(line, comment) for line in lines[:n_lines]).rstrip("\r\n")
    if len(said) <= MOST_PROSE:
        return said
    return said[:MOST_PROSE].rpartition("\n")[0].rstrip("\r") or said[:MOST_PROSE]


def _comment_line(line: str, comment: str) -> str:
    """An embedded picture, which would take all of the prompt, is cut off."""
    if line.isspace() or _EMBEDDED in line:
        words = line.rstrip("\r\n")
        return f"{comment} {words.partition(_EMBEDDED)[0]}".rstrip() + line[len(words) :]
    return f"{comment} {line}"


def _with_first_lines(parts: Sequence[_Part]) -> Iterator[tuple[int, str]]:
    line = 0
    for part in parts:
        yield line + part.n_above, part.uri
        line += part.text.count("\n") + 2
