"""`textDocument/inlineCompletion`: a document and a position in, items with a range out.

`None` means superseded (the editor keeps what it shows), an empty list means nothing to say (it clears it).
A file that is not open is read from the disk when it is a text file of the workspace; else there is nothing to say.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from lsprotocol import types

from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.request import CompletionRequest, CompletionResult, Outcome, Trigger
from rest_lsp.completion.reuse import Reused
from rest_lsp.datastore.rules import is_secret
from rest_lsp.errors import Cancelled
from rest_lsp.server.answers import Answers, Attempt
from rest_lsp.server.backend import CompletionService
from rest_lsp.server.buffers import document_name, without_surrogates
from rest_lsp.server.conversion import asks_for_other_version, request_of
from rest_lsp.server.documents import Document, EditorWorkspace, file_path
from rest_lsp.server.history import History
from rest_lsp.server.in_flight import InFlight, Written
from rest_lsp.server.notebooks import whole_in
from rest_lsp.server.offers import Offers
from rest_lsp.server.pauses import Pauses
from rest_lsp.server.prewarm import Prewarmer
from rest_lsp.server.transcript import Transcript
from rest_lsp.server.worker import Worker

log = logging.getLogger(__name__)

MAX_UNOPENED_BYTES = 16 << 20
Answer: TypeAlias = "list[types.InlineCompletionItem] | None"
Results = TypeVar("Results")
FindService = Callable[[], CompletionService | None]
"""Asked when the work's turn has come: until then the session may be another, and its model must not be held."""


class InlineCompletion:
    """Answers one request after the other for each document; a newer one supersedes the older at once, or takes over
    its place where what was typed meanwhile is what the model was writing.

    Every request leaves exactly one outcome in the history, also one that never reaches the model.
    """

    def __init__(
        self,
        engine: Worker,
        files: Worker,
        history: History,
        offers: Offers,
        prewarmer: Prewarmer,
        find_service: FindService,
        transcript: Transcript | None = None,
    ) -> None:
        self._engine = engine
        self._files = files
        self._history = history
        self._offers = offers
        self._answers = Answers(offers, prewarmer)
        self._prewarmer = prewarmer
        self._find_service = find_service
        self._transcript = transcript
        self._pauses = Pauses()
        self._in_flight: dict[str, InFlight] = {}

    def complete(
        self, params: types.InlineCompletionParams, workspace: EditorWorkspace, client_name: str
    ) -> Answer | Awaitable[Answer]:
        """Items for one position.  The awaitable raises what the service raises, other than `Cancelled`.

        An open document is read here and not later: the next message may change it, and the position is of now.
        """
        if is_secret(params.text_document.uri):
            log.info("No completions in %s: its name says that it holds secrets.", params.text_document.uri)
            return self.refuse(Outcome.SECRET)
        if self._find_service() is None:
            return self.refuse(Outcome.NO_MODEL)
        attempt = Attempt(params, workspace, client_name, time.monotonic())
        document = workspace.open_document(attempt.uri)
        if document is None:
            return self._start(attempt, self._complete_unopened(attempt))
        if asks_for_other_version(params, document):
            self._history.record(Outcome.STALE)
            return None
        attempt.version = document.version
        request = self._request(attempt, document)
        flight = self._in_flight.get(document.uri)
        known = self._offers.known(request) if request is not None else []
        if request is not None and not known and flight is not None and flight.leads_to(request):
            self._prewarmer.give_way()
            return self._start(attempt, self._follow(attempt, document, request, flight.join()))
        self._supersede(document.uri)
        if request is not None and known:
            if _wants_others(request, known):
                return self._start(attempt, self._complete_again(attempt, document, request, known[0]))
            return self._answer_again(attempt, document, request, known)
        return self._start(attempt, self._complete(attempt, document, request))

    def refuse(self, outcome: Outcome) -> list[types.InlineCompletionItem]:
        """The answer to a request that is not even looked at, and why."""
        self._history.record(outcome)
        return []

    def _supersede(self, uri: str) -> None:
        self._prewarmer.give_way()
        self._engine.give_up(uri)
        self._in_flight.pop(uri, None)
        self._pauses.supersede(uri)

    def _start(self, attempt: Attempt, work: Coroutine[Any, Any, Answer]) -> Awaitable[Answer]:
        task = asyncio.ensure_future(_judged(work, attempt))
        # A task that is cancelled before it starts runs no line of its own, but it does run this.
        task.add_done_callback(lambda _: self._record(attempt))
        return task

    def _record(self, attempt: Attempt, *, from_cache: bool = False) -> None:
        wait_ms = 1000 * (time.monotonic() - attempt.start_s)
        root, whole = attempt.workspace.root, attempt.whole
        path = document_name(whole.uri if whole is not None else attempt.uri, root)
        self._history.record(
            attempt.outcome,
            wait_ms,
            attempt.result,
            suggestion=attempt.suggestion,
            from_cache=from_cache,
            root=root,
            path=path,
            located=partial(whole.located, name=path) if whole is not None else None,
        )
        if self._transcript is not None:
            self._transcript.judged(
                attempt.uri, attempt.version, attempt.outcome, wait_ms, attempt.result, from_cache=from_cache
            )

    def _request(self, attempt: Attempt, document: Document) -> CompletionRequest | None:
        attempt.whole = whole_in(attempt.workspace, document)
        return request_of(attempt.params, attempt.whole, attempt.workspace.root)

    async def _complete_unopened(self, attempt: Attempt) -> Answer:
        document = await self._unopened(attempt.uri, attempt.workspace)
        if document is None:
            attempt.outcome = Outcome.UNREADABLE
            return []
        return await self._complete(attempt, document, self._request(attempt, document))

    async def _complete(self, attempt: Attempt, document: Document, request: CompletionRequest | None) -> Answer:
        if request is None or "\0" in request.text:
            attempt.outcome = Outcome.MENU if request is None else Outcome.UNSUPPORTED
            return []
        if request.trigger is Trigger.AUTOMATIC:
            await self._pauses.wait(document.uri, self._offers.rhythm.wait_s(time.monotonic()))
        if self._find_service() is None:
            attempt.outcome = Outcome.NO_MODEL
            return []
        results = await self._take_off(attempt, document, request).join()
        if results is None or _is_stale(attempt, document, request):
            attempt.outcome = Outcome.STALE
            return None
        attempt.result, attempt.outcome = results[0], results[0].outcome
        if attempt.outcome in (Outcome.CANCELLED, Outcome.STALE):
            return None
        return self._answers.first(attempt, document, request, results)

    def _take_off(self, attempt: Attempt, document: Document, request: CompletionRequest) -> InFlight:
        """Have the model write; until it is done, requests for what it has written already may follow."""

        def read_text() -> str | None:
            is_closed = _was_closed(document, attempt.workspace)
            return None if is_closed else without_surrogates(whole_in(attempt.workspace, document).text)

        flight = InFlight(request, read_text)
        job = self._post(document, request, partial(_suggest, request, flight.wrote))
        self._in_flight[document.uri] = flight
        job.add_done_callback(lambda done: self._landed(document.uri, flight, done))
        flight.begin(job)
        return flight

    def _landed(self, uri: str, flight: InFlight, job: asyncio.Future[Written | None]) -> None:
        """What was written is known from now on, also where it comes too late for this version of the document."""
        if self._in_flight.get(uri) is flight:
            del self._in_flight[uri]
        results = None if job.cancelled() or job.exception() is not None else job.result()
        if results is not None:
            self._offers.written(flight.request, results[0])

    async def _follow(
        self,
        attempt: Attempt,
        document: Document,
        request: CompletionRequest,
        written: asyncio.Future[Written | None],
    ) -> Answer:
        """What was typed is what the model was writing: the rest of that is the answer.  Else it is asked anew."""
        results = await written
        if _is_stale(attempt, document, request):
            attempt.outcome = Outcome.STALE
            return None
        known = self._offers.known(request)
        if not known or not results:
            return await self._complete(attempt, document, request)
        items = self._answers.rest(attempt, document, known, request)
        # With its passes, which are not kept among what was offered.
        attempt.result = results[0]
        return items

    async def _complete_again(
        self, attempt: Attempt, document: Document, request: CompletionRequest, known: Reused
    ) -> Answer:
        """What is shown stays the first; the model is asked for others, since somebody asks by key."""

        def work(service: CompletionService, cancel: CancelToken) -> list[CompletionResult]:
            return service.alternatives(request, [known.text], cancel)

        others = await self._post(document, request, work)
        if others is None or _is_stale(attempt, document, request):
            attempt.outcome = Outcome.STALE
            return None
        return self._answers.again(attempt, document, [known], request, others)

    def _answer_again(
        self, attempt: Attempt, document: Document, request: CompletionRequest, known: Sequence[Reused]
    ) -> Answer:
        """What is shown stays shown while the typed text agrees with it, and the model is not asked."""
        items = self._answers.again(attempt, document, known, request, ())
        self._record(attempt, from_cache=True)
        return items

    def _post(
        self, document: Document, request: CompletionRequest, work: Callable[[CompletionService, CancelToken], Results]
    ) -> asyncio.Future[Results | None]:
        """The job returns None when the document has changed before its turn has come."""

        def turn(cancel: CancelToken) -> Results | None:
            service = self._find_service()
            if service is None or document.version != request.version:
                return None
            return work(service, cancel)

        return self._engine.post(document.uri, turn)

    async def _unopened(self, uri: str, workspace: EditorWorkspace) -> Document | None:
        """A text file in the workspace that the editor has not opened, as it is on the disk."""
        path = file_path(uri)
        if path is None or not any(path.resolve().is_relative_to(root.resolve()) for root in workspace.roots):
            return None
        text = await self._files.post(f"read {uri}", lambda _: _read_text(path))
        if text is None:
            return None
        return Document(uri, text, version=None, language=None, codec=workspace.codec)


async def _judged(work: Coroutine[Any, Any, Answer], attempt: Attempt) -> Answer:
    try:
        return await work
    except Cancelled:
        return None
    except Exception:
        attempt.outcome = Outcome.FAILED
        raise


def _wants_others(request: CompletionRequest, known: Sequence[Reused]) -> bool:
    return request.trigger is Trigger.INVOKED and len(known) == 1 and bool(known[0].text)


def _suggest(
    request: CompletionRequest, watch: Callable[[str], None], service: CompletionService, cancel: CancelToken
) -> Sequence[CompletionResult]:
    """One suggestion, and others beside it for somebody who asks by key."""
    first = service.complete(request, cancel, watch=watch)
    if request.trigger is not Trigger.INVOKED or first.outcome is not Outcome.RETURNED:
        return [first]
    return [first, *service.alternatives(request, [first.text], cancel)]


def _is_stale(attempt: Attempt, document: Document, request: CompletionRequest) -> bool:
    return document.version != request.version or _was_closed(document, attempt.workspace)


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
