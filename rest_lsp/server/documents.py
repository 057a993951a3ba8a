"""Open buffers, kept as lines so that a keystroke in a file of megabytes costs one line.  Knows no completions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from lsprotocol import types
from pygls.uris import to_fs_path, uri_scheme
from pygls.workspace import ServerTextPosition, TextDocument, Workspace

from rest_lsp.server.positions import LinePositionCodec, split_lines

_LINES_ABOVE = 8


class Removed(NamedTuple):
    """Text that an edit removes, and the lines before it."""

    before: str
    text: str


class Document(TextDocument):
    """One buffer, or a snapshot of a file that the editor has not opened."""

    def __init__(
        self, uri: str, text: str, *, version: int | None, language: str | None, codec: LinePositionCodec
    ) -> None:
        super().__init__(uri, "", version, language, position_codec=codec)
        self._lines = split_lines(text)

    @property
    def lines(self) -> Sequence[str]:
        return self._lines

    @property
    def source(self) -> str:
        return "".join(self._lines)

    @property
    def language(self) -> str:
        return self.language_id or ""

    def apply_change(self, change: types.TextDocumentContentChangeEvent) -> None:
        """Replace a range, or everything when the change has none."""
        if not isinstance(change, types.TextDocumentContentChangePartial):
            self._lines = split_lines(change.text)
            return
        start = self.position_from_client_units(change.range.start)
        end = max(start, self.position_from_client_units(change.range.end))
        first, last = start.line, end.line
        # Text that begins with "\n" joins a line above that ends with "\r".
        above = self._lines[first - 1] if first and self._lines[first - 1].endswith("\r") else ""
        new = split_lines(
            above + self._lines[first][: start.character] + change.text + self._lines[last][end.character :]
        )
        if last + 1 < len(self._lines):
            new.pop()
        self._lines[first - bool(above) : last + 1] = new

    def removed_by(self, change: types.TextDocumentContentChangeEvent) -> Removed | None:
        """What the change will remove; None when it only adds, or replaces everything."""
        if not isinstance(change, types.TextDocumentContentChangePartial):
            return None
        start = self.position_from_client_units(change.range.start)
        end = max(start, self.position_from_client_units(change.range.end))
        if start == end:
            return None
        lines = [*self._lines[start.line : end.line], self._lines[end.line][: end.character]]
        above = "".join(self._lines[max(0, start.line - _LINES_ABOVE) : start.line])
        return Removed(above + self._lines[start.line][: start.character], "".join(lines)[start.character :])

    def offset_of(self, position: types.Position) -> int:
        """Index into `source`, in code points."""
        place = self.position_from_client_units(position)
        return sum(map(len, self._lines[: place.line])) + place.character

    def position_of(self, offset: int) -> types.Position:
        """The client's position of an index into `source`."""
        for number, line in enumerate(self._lines):
            if offset < len(line) or number == len(self._lines) - 1:
                return self.position_to_client_units(ServerTextPosition(number, offset))
            offset -= len(line)
        raise AssertionError("a document has at least one line")


class EditorWorkspace(Workspace):
    """pygls' workspace with documents and positions that hold LSP's line rules."""

    def __init__(
        self,
        root_uri: str | None,
        folders: Sequence[types.WorkspaceFolder],
        encoding: types.PositionEncodingKind | str,
    ) -> None:
        super().__init__(root_uri, types.TextDocumentSyncKind.Incremental, folders, encoding)
        self.codec = LinePositionCodec(encoding)
        self._position_codec = self.codec
        self.on_close: Callable[[Document], None] | None = None
        self.on_removed: Callable[[Document, Removed], None] | None = None
        # Clients without folders have one root, which stays.
        self._rooted = [root_uri] if root_uri and not folders else []

    @property
    def roots(self) -> tuple[Path, ...]:
        """The folders that exist, in the client's order."""
        uris = [*self._rooted, *(folder.uri for folder in self.folders.values())]
        paths = [file_path(uri) for uri in uris]
        return tuple(path for path in paths if path is not None and path.is_dir())

    @property
    def root(self) -> Path | None:
        """The first folder: its options are used, and documents are named relative to it."""
        return next(iter(self.roots), None)

    def open_document(self, uri: str) -> Document | None:
        """The buffer that the editor has open under `uri`."""
        found = self.text_documents.get(unquote(uri))
        return found if isinstance(found, Document) else None

    def notebook_of(self, uri: str) -> types.NotebookDocument | None:
        """The notebook that the document is a cell of."""
        return self.get_notebook_document(cell_uri=uri)

    def update_notebook_document(self, params: types.DidChangeNotebookDocumentParams) -> None:
        """Changes of a notebook that was never opened are ignored."""
        if self.get_notebook_document(notebook_uri=params.notebook_document.uri) is not None:
            super().update_notebook_document(params)

    def remove_text_document(self, doc_uri: str) -> None:
        """`on_close` gets the document itself: the client may close it under another spelling of its URI."""
        document = self.open_document(doc_uri)
        super().remove_text_document(doc_uri)
        if document is not None and self.on_close is not None:
            self.on_close(document)

    def update_text_document(
        self, text_doc: types.VersionedTextDocumentIdentifier, change: types.TextDocumentContentChangeEvent
    ) -> None:
        """Changes of a document that was never opened are ignored."""
        document = self.open_document(text_doc.uri)
        if document is not None:
            removed = document.removed_by(change)
            document.apply_change(change)
            if removed is not None and self.on_removed is not None:
                self.on_removed(document, removed)
            document.version = text_doc.version

    def _create_text_document(
        self, doc_uri: str, source: str | None = None, version: int | None = None, language_id: str | None = None
    ) -> Document:
        return Document(doc_uri, source or "", version=version, language=language_id, codec=self.codec)


def file_path(uri: str) -> Path | None:
    """The local path of a file URI, None for every other scheme."""
    path = to_fs_path(uri) if uri_scheme(uri) == "file" else None
    return Path(path) if path else None
