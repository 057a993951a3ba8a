"""What has been offered: kept, so that its rest can be offered at once, and followed, so that taking it is counted."""

from __future__ import annotations

from rest_lsp.completion.request import CompletionRequest, CompletionResult
from rest_lsp.completion.reuse import ReuseCache, Reused, Suggestion
from rest_lsp.completion.rhythm import Rhythm
from rest_lsp.server.acceptance import Acceptance
from rest_lsp.server.documents import Document
from rest_lsp.server.edits import AcceptanceFromEdits, Offered


class Offers:
    """Belongs to the event loop.  `rhythm` is that of the keys in all documents."""

    def __init__(self, acceptance: Acceptance) -> None:
        self.rhythm = Rhythm()
        self._acceptance = acceptance
        self._cache = ReuseCache()
        self._edits = AcceptanceFromEdits(acceptance)

    def known(self, request: CompletionRequest) -> list[Reused]:
        """What is left of earlier offers at this place, or an empty one when there is nothing to say here."""
        return self._cache.find(request)

    def new(self, document: Document, request: CompletionRequest, result: CompletionResult, offered: Offered) -> str:
        """The model's answer is `offered` in the document; returns the id by which reports name it."""
        suggestion_id = self._acceptance.offer(len(result.text) - (result.end - result.start))
        self._cache.add(request, result, suggestion_id)
        self._follow(document, suggestion_id, offered)
        return suggestion_id

    def beside(self, request: CompletionRequest, result: CompletionResult) -> str:
        """An alternative is offered; edits that take it are not told from typing."""
        suggestion_id = self._acceptance.offer(len(result.text) - (result.end - result.start), is_first=False)
        self._cache.add(request, result, suggestion_id)
        return suggestion_id

    def again(self, document: Document, offered: Offered, suggestion: Suggestion, *, is_first: bool = True) -> str:
        """The rest of an earlier offer is offered, or what was known and never offered."""
        missing = len(offered.text) - (offered.end - offered.start)
        suggestion_id = self._acceptance.offer(missing, suggestion.tag, is_first=is_first)
        if suggestion_id != suggestion.tag:
            self._cache.name(suggestion, suggestion_id)
        if is_first:
            self._follow(document, suggestion_id, offered)
        return suggestion_id

    def written(self, request: CompletionRequest, result: CompletionResult) -> None:
        """What the model says, or that it has nothing to say; nothing is offered, and perhaps nobody has asked."""
        self._cache.add(request, result)

    def changed(self, document: Document, n_changes: int, now_s: float) -> None:
        """A document was edited in so many steps."""
        self.rhythm.key(now_s)
        self._edits.changed(document, n_changes)

    def closed(self, document: Document) -> None:
        self._edits.forget(document)

    def forget(self) -> None:
        """Another model, or other options, would say something else."""
        self._cache.clear()

    def _follow(self, document: Document, suggestion_id: str, offered: Offered) -> None:
        if document.version is not None:
            self._edits.expect(document, suggestion_id, offered)
