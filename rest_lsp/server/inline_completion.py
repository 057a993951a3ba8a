"""`textDocument/inlineCompletion`: a document and a position in, items with a range out.

`None` means superseded (the editor keeps what it shows), an empty list means nothing to say (it clears it).
A file that is not open is read from the disk when it is a text file of the workspace; else there is nothing to say.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from lsprotocol import types

from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.request import CompletionRequest, CompletionResult, Outcome, Trigger
from rest_lsp.errors import Cancelled
from rest_lsp.server.acceptance import Acceptance
from rest_lsp.server.backend import CompletionService
from rest_lsp.server.buffers import document_name, without_surrogates
from rest_lsp.server.dialect import ACCEPTED_COMMAND
from rest_lsp.server.documents import Document, EditorWorkspace, file_path
from rest_lsp.server.history import History
from rest_lsp.server.worker import Worker

log = logging.getLogger(__name__)

MAX_UNOPENED_BYTES = 16 << 20
Answer: TypeAlias = "list[types.InlineCompletionItem] | None"
FindService = Callable[[], CompletionService | None]
"""Asked when the work is handed over: until then the session may be another, and its model must not be held."""
# Neovim keeps line ends out of its buffers and would insert a carriage return as a character.
_CLIENTS_THAT_ADD_LINE_ENDS = ("neovim",)


@dataclass
class _Attempt:
    """What became of one request; one that is cancelled before it starts stays as it is."""

    start_s: float
    outcome: Outcome = Outcome.CANCELLED
    result: CompletionResult | None = None
    suggestion: str | None = None


class InlineCompletion:
    """Answers one request after the other for each document; a newer one supersedes the older at once.

    Every request leaves exactly one outcome in the history, also one that never reaches the model.
    """

    def __init__(self, engine: Worker, files: Worker, history: History, acceptance: Acceptance) -> None:
        self._engine = engine
        self._files = files
        self._history = history
        self._acceptance = acceptance

    def complete(
        self,
        params: types.InlineCompletionParams,
        find_service: FindService,
        workspace: EditorWorkspace,
        client_name: str,
    ) -> Answer | Awaitable[Answer]:
        """Items for one position.  The awaitable raises what the service raises, other than `Cancelled`.

        An open document is read here and not later: the next message may change it, and the position is of now.
        """
        if find_service() is None:
            return self.refuse(Outcome.NO_MODEL)
        document = workspace.open_document(params.text_document.uri)
        if document is None:
            return self._attempt(
                lambda attempt: self._complete_unopened(attempt, params, find_service, workspace, client_name)
            )
        if _asks_for_other_version(params, document):
            self._history.record(Outcome.STALE)
            return None
        request = _request(params, document, workspace.root)
        return self._attempt(
            lambda attempt: self._complete(attempt, params, find_service, document, request, workspace, client_name)
        )

    def refuse(self, outcome: Outcome) -> list[types.InlineCompletionItem]:
        """The answer to a request that is not even looked at, and why."""
        self._history.record(outcome)
        return []

    def _attempt(self, work: Callable[[_Attempt], Coroutine[Any, Any, Answer]]) -> Awaitable[Answer]:
        attempt = _Attempt(time.monotonic())
        task = asyncio.ensure_future(_judged(work(attempt), attempt))
        # A task that is cancelled before it starts runs no line of its own, but it does run this.
        task.add_done_callback(lambda _: self._record(attempt))
        return task

    def _record(self, attempt: _Attempt) -> None:
        wait_ms = 1000 * (time.monotonic() - attempt.start_s)
        self._history.record(attempt.outcome, wait_ms, attempt.result, attempt.suggestion)

    async def _complete_unopened(
        self,
        attempt: _Attempt,
        params: types.InlineCompletionParams,
        find_service: FindService,
        workspace: EditorWorkspace,
        client_name: str,
    ) -> Answer:
        document = await self._unopened(params.text_document.uri, workspace)
        if document is None:
            attempt.outcome = Outcome.UNREADABLE
            return []
        request = _request(params, document, workspace.root)
        return await self._complete(attempt, params, find_service, document, request, workspace, client_name)

    async def _complete(
        self,
        attempt: _Attempt,
        params: types.InlineCompletionParams,
        find_service: FindService,
        document: Document,
        request: CompletionRequest | None,
        workspace: EditorWorkspace,
        client_name: str,
    ) -> Answer:
        if request is None or "\0" in request.text:
            attempt.outcome = Outcome.MENU if request is None else Outcome.UNSUPPORTED
            return []
        service = find_service()
        if service is None:
            attempt.outcome = Outcome.NO_MODEL
            return []
        attempt.result = result = await self._run(document.uri, service, request, document)
        if result is None or document.version != request.version or _was_closed(document, workspace):
            attempt.outcome = Outcome.STALE
            return None
        items = _items(params, document, result, client_name)
        attempt.outcome = Outcome.EMPTY if result.outcome is Outcome.RETURNED and not items else result.outcome
        if attempt.outcome is not Outcome.RETURNED:
            return None if attempt.outcome in (Outcome.CANCELLED, Outcome.STALE) else items
        attempt.suggestion = self._acceptance.offer(result.text[len(request.text[result.start : result.end]) :])
        for item in items:
            item.command = types.Command("Accepted", ACCEPTED_COMMAND, arguments=[attempt.suggestion, "whole"])
        return items

    async def _run(
        self, uri: str, service: CompletionService, request: CompletionRequest, document: Document
    ) -> CompletionResult | None:
        """None when the document has changed before its turn came.  Raises Cancelled when it is superseded."""

        def work(cancel: CancelToken) -> CompletionResult | None:
            return service.complete(request, cancel) if document.version == request.version else None

        return await self._engine.post(uri, work)

    async def _unopened(self, uri: str, workspace: EditorWorkspace) -> Document | None:
        """A text file in the workspace that the editor has not opened, as it is on the disk."""
        path, root = file_path(uri), workspace.root
        if path is None or root is None or not path.resolve().is_relative_to(root.resolve()):
            return None
        text = await self._files.post(f"read {uri}", lambda _: _read_text(path))
        if text is None:
            return None
        return Document(uri, text, version=None, language=None, codec=workspace.codec)


async def _judged(work: Coroutine[Any, Any, Answer], attempt: _Attempt) -> Answer:
    try:
        return await work
    except Cancelled:
        return None
    except Exception:
        attempt.outcome = Outcome.FAILED
        raise


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
