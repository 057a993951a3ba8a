"""Documents and notebooks as an editor has them open, so that both can be told again.  No pygls: a front holds them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from rest_lsp.daemon import lsp
from rest_lsp.daemon.buffer import Buffer

_OF_DOCUMENTS = frozenset({lsp.DID_OPEN, lsp.DID_CHANGE, lsp.DID_CLOSE})
_OF_NOTEBOOKS = frozenset({lsp.NOTEBOOK_DID_OPEN, lsp.NOTEBOOK_DID_CHANGE, lsp.NOTEBOOK_DID_CLOSE})
CHANGE_TEXT = (_OF_DOCUMENTS | _OF_NOTEBOOKS) - {lsp.DID_OPEN, lsp.NOTEBOOK_DID_OPEN}
"""After these a completion that was asked for may be of a text that is no longer there."""


class OpenDocuments:
    """Known by their decoded URIs.  Positions are in `encoding`."""

    def __init__(self) -> None:
        self.encoding = "utf-16"
        self._buffers: dict[str, Buffer] = {}
        self._notebooks: dict[str, dict[str, Any]] = {}

    def version_of(self, uri: str) -> object:
        """The version of an open document, None for one that is not open."""
        buffer = self._buffers.get(unquote(uri))
        return buffer.version if buffer is not None else None

    def note(self, message: lsp.Message) -> None:
        """Raises KeyError, TypeError and the like for what is not as LSP says."""
        if message.method in _OF_DOCUMENTS:
            self._note_document(message.method, message.read_params())
        elif message.method in _OF_NOTEBOOKS:
            self._note_notebook(message.method, message.read_params())

    def replay(self) -> Iterator[bytes]:
        """Everything that is open, to a server that knows nothing of it."""
        cells = {uri for notebook in self._notebooks.values() for uri in _cells(notebook)}
        for uri, buffer in self._buffers.items():
            if uri not in cells:
                yield lsp.notification(lsp.DID_OPEN, {"textDocument": buffer.item()})
        for notebook in self._notebooks.values():
            buffers = [self._buffers[uri] for uri in _cells(notebook) if uri in self._buffers]
            documents = [buffer.item() for buffer in buffers]
            yield lsp.notification(
                lsp.NOTEBOOK_DID_OPEN, {"notebookDocument": notebook, "cellTextDocuments": documents}
            )

    def _note_document(self, method: str, params: dict[str, Any]) -> None:
        document = params["textDocument"]
        if method == lsp.DID_OPEN:
            self._open(document)
        elif method == lsp.DID_CLOSE:
            self._close(document)
        else:
            self._change(document, params["contentChanges"])

    def _note_notebook(self, method: str, params: dict[str, Any]) -> None:
        notebook = params["notebookDocument"]
        if method == lsp.NOTEBOOK_DID_OPEN:
            self._notebooks[unquote(notebook["uri"])] = notebook
            for document in params["cellTextDocuments"]:
                self._open(document)
        elif method == lsp.NOTEBOOK_DID_CLOSE:
            self._notebooks.pop(unquote(notebook["uri"]), None)
            for document in params["cellTextDocuments"]:
                self._close(document)
        elif (known := self._notebooks.get(unquote(notebook["uri"]))) is not None:
            known["version"] = notebook["version"]
            self._change_cells(known, params["change"].get("cells") or {})

    def _change_cells(self, notebook: dict[str, Any], change: dict[str, Any]) -> None:
        structure = change.get("structure")
        if structure:
            start, n_deleted = structure["array"]["start"], structure["array"]["deleteCount"]
            notebook["cells"][start : start + n_deleted] = structure["array"].get("cells") or []
            for document in structure.get("didOpen") or []:
                self._open(document)
            for document in structure.get("didClose") or []:
                self._close(document)
        for edit in change.get("textContent") or []:
            self._change(edit["document"], edit["changes"])

    def _open(self, document: dict[str, Any]) -> None:
        self._buffers[unquote(document["uri"])] = Buffer(document)

    def _close(self, document: dict[str, Any]) -> None:
        self._buffers.pop(unquote(document["uri"]), None)

    def _change(self, document: dict[str, Any], changes: list[dict[str, Any]]) -> None:
        buffer = self._buffers.get(unquote(document["uri"]))
        if buffer is not None:
            buffer.change(document.get("version"), changes, self.encoding)


def _cells(notebook: dict[str, Any]) -> list[str]:
    return [unquote(cell["document"]) for cell in notebook["cells"]]
