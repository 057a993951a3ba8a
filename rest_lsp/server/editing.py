"""What follows from what a person does to documents: drafts, prompts and offers are kept in step with them.

Cells of a notebook are documents, too; only files and new ones are fed to the datastore.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lsprotocol import types

from rest_lsp.datastore.rules import is_secret
from rest_lsp.server.backend import Session
from rest_lsp.server.buffers import BufferFeed, document_name
from rest_lsp.server.conversion import end_of_edit, request_at
from rest_lsp.server.documents import Document, EditorWorkspace, Removed
from rest_lsp.server.notebooks import whole_in
from rest_lsp.server.offers import Offers
from rest_lsp.server.prewarm import Prewarmer, opening_place
from rest_lsp.server.switches import Switches
from rest_lsp.server.worker import Worker


class Editing:
    """Belongs to the event loop; told of changes when the workspace has them already."""

    def __init__(
        self,
        engine: Worker,
        buffers: BufferFeed,
        offers: Offers,
        prewarmer: Prewarmer,
        switches: Switches,
        find_session: Callable[[], Session | None],
    ) -> None:
        self._engine = engine
        self._buffers = buffers
        self._offers = offers
        self._prewarmer = prewarmer
        self._switches = switches
        self._find_session = find_session
        self._root: Path | None = None

    def follow(self, workspace: EditorWorkspace) -> None:
        """To be called before the first document is opened."""
        self._workspace = workspace
        workspace.on_close, workspace.on_removed = self._closed, self._removed

    def place_in(self, root: Path | None) -> None:
        """From now on documents are named relative to `root`."""
        self._root = root

    def opened(self, params: types.DidOpenTextDocumentParams) -> None:
        document = self._workspace.open_document(params.text_document.uri)
        if document is not None:
            self._buffers.changed(document)
            self._expect_request(document, opening_place(document.source))

    def changed(self, params: types.DidChangeTextDocumentParams) -> None:
        document = self._workspace.open_document(params.text_document.uri)
        if document is not None:
            self._buffers.changed(document)
            self._edited(document, params.content_changes)

    def notebook_opened(self, params: types.DidOpenNotebookDocumentParams) -> None:
        self._expect_request_in(params.cell_text_documents)

    def notebook_changed(self, params: types.DidChangeNotebookDocumentParams) -> None:
        cells = params.change.cells
        if cells is None:
            return
        if cells.structure is not None:
            self._expect_request_in(cells.structure.did_open or ())
        for edit in cells.text_content or ():
            document = self._workspace.open_document(edit.document.uri)
            if document is not None:
                self._edited(document, edit.changes)

    def _edited(self, document: Document, changes: Sequence[types.TextDocumentContentChangeEvent]) -> None:
        self._offers.changed(document, len(changes), time.monotonic())
        for change in changes[-1:]:
            self._expect_request(document, end_of_edit(document, change))

    def _expect_request_in(self, cells: Sequence[types.TextDocumentItem]) -> None:
        """In the last of the cells, whose prompt begins with those above."""
        document = self._workspace.open_document(cells[-1].uri) if cells else None
        if document is not None:
            self._expect_request(document, len(document.source))

    def _expect_request(self, document: Document, offset: int) -> None:
        if self._switches.allows(document.language) and not is_secret(document.uri):
            version, root = document.version, self._root
            self._prewarmer.expect(
                lambda: (
                    request_at(whole_in(self._workspace, document), offset, root)
                    if document.version == version and self._workspace.open_document(document.uri) is document
                    else None
                )
            )

    def _closed(self, document: Document) -> None:
        self._engine.give_up(document.uri)
        self._offers.closed(document)
        self._buffers.closed(document)

    def _removed(self, document: Document, removed: Removed) -> None:
        """Drafts are made of it when it is written again; the session forgets it with all else."""
        session = self._find_session()
        if session is not None and not is_secret(document.uri):
            name = document_name(whole_in(self._workspace, document).uri, self._root)
            before, text = (part.replace("\r\n", "\n") for part in removed)
            session.deleted.removed(name, before, text)
