"""From settings and a request to a drafter: which sources know something, and what drafters learn from each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Protocol

from rest_lsp.completion.context_text import Documents
from rest_lsp.completion.prompt import Prompt
from rest_lsp.completion.provenance import LineOf
from rest_lsp.completion.request import CompletionRequest
from rest_lsp.config import DraftingOptions
from rest_lsp.datastore import search
from rest_lsp.datastore.libraries import PACKAGES, STANDARD
from rest_lsp.datastore.occurrence import CountNewlines, Origin
from rest_lsp.datastore.shared import SharedStore
from rest_lsp.drafting import tree_drafter
from rest_lsp.drafting.affinity import Affinity
from rest_lsp.drafting.cost_model import Budget
from rest_lsp.drafting.datastore_source import DatastoreSource, TraitsOf
from rest_lsp.drafting.deleted import DeletedText
from rest_lsp.drafting.document_encoder import DocumentEncoder
from rest_lsp.drafting.document_source import LIVE, DocumentSource
from rest_lsp.drafting.drafter import Drafter, NoDrafter
from rest_lsp.drafting.recent import Recent, RecentCompletions
from rest_lsp.drafting.recent_source import RecentSource
from rest_lsp.drafting.script_source import CERTAIN, ScriptSource
from rest_lsp.drafting.source import DraftSource
from rest_lsp.drafting.traits import DELETED, LIBRARY, REPOSITORY, THROUGH
from rest_lsp.drafting.tree_drafter import Experience, TreeDrafter
from rest_lsp.tokenizer import Tokenizer

_LIKELY_AGAIN = 4
"""Text that was deleted at the cursor is as likely to come as what follows a match of so many tokens."""


LIBRARIES = (PACKAGES, STANDARD)
ELSEWHERE = 0
"""Traits of places in stores that the user names: nothing is known of them."""


def _traits_of_tier(name: str) -> TraitsOf:
    traits = LIBRARY if name in LIBRARIES else ELSEWHERE
    return lambda _: traits


class Store(Documents, Protocol):
    """The part of the datastore that drafting and prompts need."""

    @property
    def tiers(self) -> Sequence[SharedStore]: ...
    def line_of(self, origin: Origin, count_newlines: CountNewlines) -> int | None: ...


class Drafting:
    """Makes the drafter of each request, and knows where its drafts were read.

    encoder   remembers documents by parts; whoever encodes a document when it is opened saves a request the time
    recent    completions of this session; they stay empty where nobody adds to them, as in measurements
    deleted   whoever sees edits writes there what they removed
    """

    def __init__(
        self,
        options: DraftingOptions,
        tokenizer: Tokenizer,
        datastore: Store | None,
        budget: Budget,
        experience: Experience | None = None,
    ) -> None:
        self._options, self._tokenizer, self.datastore, self._budget = options, tokenizer, datastore, budget
        self._experience = experience or Experience()
        tree_drafter.compile_ahead()
        search.compile_ahead()
        self.encoder = DocumentEncoder(tokenizer.encode)
        self.recent = RecentCompletions()
        self.deleted = DeletedText()
        self._document: DocumentSource | None = None

    def __call__(self, request: CompletionRequest, prompt: Prompt) -> Drafter:
        if not self._options.enabled:
            return NoDrafter()
        return TreeDrafter(
            self.sources(request, prompt),
            self._budget,
            spelling=self._tokenizer.encode(prompt.pending.decode(errors="replace")),
            experience=self._experience,
        )

    def sources(self, request: CompletionRequest, prompt: Prompt) -> list[DraftSource]:
        """What may know how `request` goes on, the most likely first."""
        options, before = self._options, request.text[: request.offset].replace("\r\n", "\n")
        sources: list[DraftSource] = []
        if options.use_completions:
            texts = self.recent.texts()
            if options.use_through:
                sources += self._typed_through(texts, request.path, before, prompt)
            if texts:
                known = (recent.prefix_tail + recent.text for recent in reversed(texts))
                sources.append(RecentSource(map(self.encoder.encode, known)))
        if options.use_deleted:
            sources += self._deleted(request.path, before, prompt)
        if options.use_document:
            self._document = self._live_document(request, before, prompt)
            sources.append(self._document)
        if options.use_datastore and self.datastore is not None:
            sources.append(self._repository(self.datastore, request, before))
            sources += [
                DatastoreSource(tier, _traits_of_tier(tier.name), exclude=None, name=tier.name)
                for tier in self.datastore.tiers
                if options.use_libraries or tier.name not in LIBRARIES
            ]
        return sources

    def forget(self) -> None:
        """Drop what earlier requests taught; documents stay encoded."""
        self._experience.forget()
        self.recent.clear()

    def line_of(self, origin: Origin) -> int | None:
        """The zero-based line of a draft's origin, None when that text has gone."""
        return self._line_in(self._document, origin)

    def places(self) -> LineOf:
        """`line_of` for the drafts of the last request, which can still be asked when there have been others."""
        return partial(self._line_in, self._document)

    def _line_in(self, document: DocumentSource | None, origin: Origin) -> int | None:
        if origin.generation == LIVE:
            return document.line_of(origin, self._tokenizer.count_newlines) if document else None
        return self.datastore.line_of(origin, self._tokenizer.count_newlines) if self.datastore else None

    def _typed_through(
        self, texts: Sequence[Recent], path: str | None, before: str, prompt: Prompt
    ) -> Iterator[DraftSource]:
        for recent in texts:
            typed = recent.typed(path, before)
            if typed is not None and recent.text.startswith(typed) and typed != recent.text:
                script = self._script(recent.text[len(typed) :], prompt)
                yield ScriptSource("typed through", THROUGH, script, n_known=len(prompt.context_ids), agreed=CERTAIN)
                return

    def _deleted(self, path: str | None, before: str, prompt: Prompt) -> Iterator[DraftSource]:
        for recent in self.deleted.texts():
            typed = recent.typed(path, before)
            if typed is not None:
                goes_on = recent.text.startswith(typed)
                script = (
                    self._script(recent.text[len(typed) :], prompt) if goes_on else self.encoder.encode(recent.text)
                )
                agreed = _LIKELY_AGAIN if goes_on else 0
                yield ScriptSource("deleted", DELETED, script, n_known=len(prompt.context_ids), agreed=agreed)
                return

    def _script(self, text: str, prompt: Prompt) -> list[int]:
        """Ids of `text` behind the context: they begin with what is typed and not yet read."""
        return self._tokenizer.encode(prompt.pending.decode(errors="replace") + text)

    def _live_document(self, request: CompletionRequest, before: str, prompt: Prompt) -> DocumentSource:
        after = request.text[request.offset :].replace("\r\n", "\n")
        typed = len(self._tokenizer.decode(prompt.middle_ids)) + len(prompt.pending.decode(errors="replace"))
        earlier = before[: max(0, len(before) - typed)]
        ids = [*self.encoder.before(earlier), *prompt.middle_ids]
        return DocumentSource(
            request.path or "",
            ids,
            self.encoder.after(after) if self._options.use_after else [],
            n_known=len(prompt.context_ids),
            first_line=self.encoder.first_line(earlier),
            cursor_line=before.count("\n"),
        )

    def _repository(self, datastore: Store, request: CompletionRequest, before: str) -> DatastoreSource:
        if not self._options.use_affinity:
            return DatastoreSource(datastore, lambda _: REPOSITORY, exclude=request.path)
        affinity = Affinity(request.path, before, open_paths=datastore.open_paths)
        return DatastoreSource(datastore, affinity.traits, exclude=request.path)
