"""Between the protocol and plain requests: positions and offsets, items and results.  Decides nothing."""

from __future__ import annotations

from pathlib import Path

from lsprotocol import types

from rest_lsp.completion.request import Cell, CompletionRequest, Trigger
from rest_lsp.server.buffers import document_name, without_surrogates
from rest_lsp.server.dialect import ACCEPTED_COMMAND
from rest_lsp.server.documents import Document
from rest_lsp.server.edits import Offered
from rest_lsp.server.notebooks import Whole

# Neovim keeps line ends out of its buffers and would insert a carriage return as a character.
_CLIENTS_THAT_ADD_LINE_ENDS = ("neovim",)


def request_at(whole: Whole, offset: int, root: Path | None) -> CompletionRequest:
    """What an editor would ask for at `offset` of the document while somebody types there."""
    return CompletionRequest(
        text=without_surrogates(whole.text),
        offset=len(whole.before) + offset,
        path=document_name(whole.uri, root),
        language=whole.language,
        version=whole.document.version or 0,
        trigger=Trigger.AUTOMATIC,
        cell=whole.cell,
    )


def request_of(params: types.InlineCompletionParams, whole: Whole, root: Path | None) -> CompletionRequest | None:
    """None when the menu's item and the cursor do not fit together."""
    document, origin, cell = whole.document, len(whole.before), whole.cell
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
        cell = cell and Cell(origin, origin + len(text))
    return CompletionRequest(
        text=without_surrogates(whole.before + text + whole.after),
        offset=origin + cursor,
        path=document_name(whole.uri, root),
        language=whole.language,
        version=document.version,  # type: ignore[arg-type]
        trigger=_trigger(params.context.trigger_kind),
        selected_text=selected_text,
        selected_start=None if selected_start is None else origin + selected_start,
        cell=cell,
    )


def offered_in(request: CompletionRequest, text: str, start: int, end: int) -> Offered | None:
    """What replaces the request's text from `start` to `end`, counted from the beginning of the document asked about.

    None when that is not within the document.
    """
    first, last = request.cell or Cell(0, len(request.text))
    if not first <= start <= end <= last:
        return None
    return Offered(text, start - first, request.offset - first, end - first)


def item_for(
    params: types.InlineCompletionParams, document: Document, offered: Offered, client_name: str
) -> types.InlineCompletionItem | None:
    """None when the client could not show it: LSP's ranges are of one line, and a menu's item must be continued."""
    selected = params.context.selected_completion_info
    if selected is not None:
        item_range = selected.range
        if not offered.text.startswith(selected.text) or offered.end != offered.cursor:
            return None
    else:
        item_range = types.Range(document.position_of(offered.start), document.position_of(offered.end))
        if item_range.start.line != item_range.end.line:
            return None
    text = offered.text
    if client_name.lower() in _CLIENTS_THAT_ADD_LINE_ENDS:
        text = text.replace("\r\n", "\n")
    return types.InlineCompletionItem(insert_text=text, range=item_range)


def name_item(item: types.InlineCompletionItem, suggestion_id: str) -> None:
    """Give an item the command by which an editor tells that it was taken."""
    item.command = types.Command("Accepted", ACCEPTED_COMMAND, arguments=[suggestion_id, "whole"])


def asks_for_other_version(params: types.InlineCompletionParams, document: Document) -> bool:
    """Whether a request of Copilot's dialect names a version that the document does not have (any more)."""
    identifier: object = params.text_document
    return (
        isinstance(identifier, types.OptionalVersionedTextDocumentIdentifier)
        and document.version is not None
        and identifier.version != document.version
    )


def end_of_edit(document: Document, change: types.TextDocumentContentChangeEvent) -> int:
    """Where the cursor probably stands after the change that was applied last."""
    if not isinstance(change, types.TextDocumentContentChangePartial):
        return len(document.source)
    # An editor that closes a pair by itself leaves the cursor in the middle.
    is_pair = change.text in {"()", "[]", "{}", '""', "''", "``"}
    return document.offset_of(change.range.start) + (1 if is_pair else len(change.text))


def _trigger(kind: types.InlineCompletionTriggerKind) -> Trigger:
    return Trigger.INVOKED if kind == types.InlineCompletionTriggerKind.Invoked else Trigger.AUTOMATIC
