"""From results, new and known, to items of the protocol; keeps account of what is offered with them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lsprotocol import types

from rest_lsp.completion.request import CompletionRequest, CompletionResult, Outcome
from rest_lsp.completion.reuse import Reused
from rest_lsp.server.conversion import item_for, name_item, offered_in
from rest_lsp.server.documents import Document, EditorWorkspace
from rest_lsp.server.edits import Offered
from rest_lsp.server.notebooks import Whole
from rest_lsp.server.offers import Offers
from rest_lsp.server.prewarm import Prewarmer

Items = list[types.InlineCompletionItem]

log = logging.getLogger(__name__)


@dataclass
class Attempt:
    """One request and what became of it; one that is cancelled before it starts stays as it is."""

    params: types.InlineCompletionParams
    workspace: EditorWorkspace
    client_name: str
    start_s: float
    version: int | None = None
    outcome: Outcome = Outcome.CANCELLED
    result: CompletionResult | None = None
    suggestion: str | None = None
    whole: Whole | None = None

    @property
    def uri(self) -> str:
        return self.params.text_document.uri


class Answers:
    """Belongs to the event loop.  Each answer leaves its outcome in the attempt."""

    def __init__(self, offers: Offers, prewarmer: Prewarmer) -> None:
        self._offers = offers
        self._prewarmer = prewarmer

    def first(
        self, attempt: Attempt, document: Document, request: CompletionRequest, results: Sequence[CompletionResult]
    ) -> Items:
        """What the model said, the first being what it says for sure; what comes after that is prepared."""
        result = results[0]
        offered = offered_in(request, result.text, result.start, result.end)
        items = _items(attempt, document, offered)
        if not items or offered is None:
            attempt.outcome = Outcome.EMPTY if result.text else attempt.outcome
            return items
        beside = self._beside(attempt, document, request, results[1:])
        attempt.suggestion = self._offers.new(document, request, result, offered)
        name_item(items[0], attempt.suggestion)
        if document.version is not None:
            self._prewarmer.look_ahead(request, result, self._offers.written)
        return items + beside

    def again(
        self,
        attempt: Attempt,
        document: Document,
        known: Sequence[Reused],
        request: CompletionRequest,
        others: Sequence[CompletionResult],
    ) -> Items:
        """The rest of what was offered before, and `others` that the model has said now."""
        attempt.result = known[0].suggestion.result
        items: Items = []
        for one in known:
            offered = offered_in(request, one.text, one.start, one.end)
            for item in _items(attempt, document, offered):
                assert offered is not None
                name = self._offers.again(document, offered, one.suggestion, is_first=not items)
                attempt.suggestion = attempt.suggestion or name
                name_item(item, name)
                items.append(item)
        attempt.outcome = Outcome.RETURNED if items else Outcome.EMPTY
        return items + self._beside(attempt, document, request, others)

    def rest(self, attempt: Attempt, document: Document, known: Sequence[Reused], request: CompletionRequest) -> Items:
        """What is left of what the model wrote while its beginning was typed; what comes after that is prepared."""
        items = self.again(attempt, document, known, request, ())
        if items:
            left = known[0]
            result = replace(left.suggestion.result, text=left.text, start=left.start, end=left.end)
            self._prewarmer.look_ahead(request, result, self._offers.written)
        return items

    def _beside(
        self, attempt: Attempt, document: Document, request: CompletionRequest, others: Sequence[CompletionResult]
    ) -> Items:
        """The last goes first, since what was kept last is found first."""
        items: Items = []
        for other in reversed(others):
            for item in _items(attempt, document, offered_in(request, other.text, other.start, other.end)):
                name_item(item, self._offers.beside(request, other))
                items.append(item)
        return items[::-1]


def _items(attempt: Attempt, document: Document, offered: Offered | None) -> Items:
    """One or none: a client cannot show everything."""
    if offered is not None and not offered.text:
        return []
    item = item_for(attempt.params, document, offered, attempt.client_name) if offered is not None else None
    if item is None:
        log.info("A completion was left out because the client could not show it.")
    return [item] if item is not None else []
