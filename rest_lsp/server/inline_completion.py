"""`textDocument/inlineCompletion`: a document and a position in, items with a range out.

`None` means superseded (the editor keeps what it shows), an empty list means nothing to say (it clears it).
A file that is not open is read from the disk when it is a text file of the workspace; else there is nothing to say.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeAlias

from lsprotocol import types

from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.request import CompletionRequest, CompletionResult, Outcome, Trigger
from rest_lsp.errors import Cancelled
from rest_lsp.server.buffers import document_name, without_surrogates
from rest_lsp.server.documents import Document, EditorWorkspace, file_path
from rest_lsp.server.history import History
from rest_lsp.server.session import CompletionService
from rest_lsp.server.worker import Worker

log = logging.getLogger(__name__)

MAX_UNOPENED_BYTES = 16 << 20
Answer: TypeAlias = "list[types.InlineCompletionItem] | None"
# Neovim keeps line ends out of its buffers and would insert a carriage return as a character.
_CLIENTS_THAT_ADD_LINE_ENDS = ("neovim",)


class InlineCompletion:
    """Answers one request after the other for each document; a newer one supersedes the older at once."""

    def __init__(self, engine: Worker, files: Worker, history: History) -> None:
        self._engine = engine
        self._files = files
        self._history = history

    def complete(
        self,
        params: types.InlineCompletionParams,
        service: CompletionService | None,
        workspace: EditorWorkspace,
        client_name: str,
    ) -> Answer | Awaitable[Answer]:
        """Items for one position.  The awaitable raises what the service raises, other than `Cancelled`.

        An open document is read here and not later: the next message may change it, and the position is of now.
        """
        if service is None:
            return []
        document = workspace.open_document(params.text_document.uri)
        if document is None:
            return self._complete_unopened(params, service, workspace, client_name)
        if _asks_for_other_version(params, document):
            return None
        request = _request(params, document, workspace.root)
        return self._complete(params, service, document, request, workspace, client_name)

    async def _complete_unopened(
        self,
        params: types.InlineCompletionParams,
        service: CompletionService,
        workspace: EditorWorkspace,
        client_name: str,
    ) -> Answer:
        document = await self._unopened(params.text_document.uri, workspace)
        if document is None:
            return []
        request = _request(params, document, workspace.root)
        return await self._complete(params, service, document, request, workspace, client_name)

    async def _complete(
        self,
        params: types.InlineCompletionParams,
        service: CompletionService,
        document: Document,
        request: CompletionRequest | None,
        workspace: EditorWorkspace,
        client_name: str,
    ) -> Answer:
        if request is None or "\0" in request.text:
            return []
        result = await self._run(document.uri, service, request, document)
        if result is None or document.version != request.version or _was_closed(document, workspace):
            return None
        return _items(params, document, result, client_name)

    async def _run(
        self, uri: str, service: CompletionService, request: CompletionRequest, document: Document
    ) -> CompletionResult | None:
        """The result; None when it was superseded."""
        start_s = time.monotonic()

        def work(cancel: CancelToken) -> CompletionResult:
            if document.version != request.version:
                raise Cancelled
            return service.complete(request, cancel)

        outcome, result = Outcome.FAILED, None
        try:
            result = await self._engine.post(uri, work)
            outcome = result.outcome
        except Cancelled:
            outcome = Outcome.CANCELLED
        except asyncio.CancelledError:
            outcome = Outcome.CANCELLED
            raise
        finally:
            self._history.record(outcome, 1000 * (time.monotonic() - start_s), result)
        return None if outcome in (Outcome.CANCELLED, Outcome.STALE) else result

    async def _unopened(self, uri: str, workspace: EditorWorkspace) -> Document | None:
        """A text file in the workspace that the editor has not opened, as it is on the disk."""
        path, root = file_path(uri), workspace.root
        if path is None or root is None or not path.resolve().is_relative_to(root.resolve()):
            return None
        text = await self._files.post(f"read {uri}", lambda _: _read_text(path))
        if text is None:
            return None
        return Document(uri, text, version=None, language=None, codec=workspace.codec)


def _request(params: types.InlineCompletionParams, document: Document, root: Path | None) -> CompletionRequest | None:
    """None when the menu's item and the cursor do not fit together."""
    text, cursor = document.source, document.offset_of(params.position)
    selected_text = selected_start = None
    selected = params.context.selected_completion_info
    if selected is not None:
        selected_text, selected_start = selected.text, document.offset_of(selected.range.start)
        selected_end = document.offset_of(selected.range.end)
        if not selected_start <= cursor <= selected_end:
            return None
        # The menu's item replaces its whole range, also what stands after the cursor.
        text = text[:cursor] + text[selected_end:]
    return CompletionRequest(
        text=without_surrogates(text),
        offset=cursor,
        path=document_name(document.uri, root),
        language=document.language,
        version=document.version,  # type: ignore[arg-type]
        trigger=_trigger(params.context.trigger_kind),
        selected_text=selected_text,
        selected_start=selected_start,
    )


def _items(
    params: types.InlineCompletionParams, document: Document, result: CompletionResult, client_name: str
) -> list[types.InlineCompletionItem]:
    if not result.text:
        return []
    selected = params.context.selected_completion_info
    if selected is not None:
        item_range = selected.range
        if not result.text.startswith(selected.text) or result.end != document.offset_of(params.position):
            return []
    else:
        item_range = types.Range(document.position_of(result.start), document.position_of(result.end))
        if item_range.start.line != item_range.end.line:
            log.error("A completion was left out because its range has several lines.")
            return []
    text = result.text
    if client_name.lower() in _CLIENTS_THAT_ADD_LINE_ENDS:
        text = text.replace("\r\n", "\n")
    return [types.InlineCompletionItem(insert_text=text, range=item_range)]


def _trigger(kind: types.InlineCompletionTriggerKind) -> Trigger:
    return Trigger.INVOKED if kind == types.InlineCompletionTriggerKind.Invoked else Trigger.AUTOMATIC


def _asks_for_other_version(params: types.InlineCompletionParams, document: Document) -> bool:
    identifier: object = params.text_document
    return (
        isinstance(identifier, types.OptionalVersionedTextDocumentIdentifier)
        and document.version is not None
        and identifier.version != document.version
    )


def _was_closed(document: Document, workspace: EditorWorkspace) -> bool:
    return document.version is not None and workspace.open_document(document.uri) is not document


def _read_text(path: Path) -> str | None:
    """None when it is no text file, or far too large to be one."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_UNOPENED_BYTES:
            return None
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        return None
