"""Works ahead as soon as the model has done what this window asked for; whatever a person does comes first, and so do
other windows: while they ask, nothing is made ahead, since it would only put what they need out of the caches.

Reads prompts when a document is opened or edited, so that the request which follows has little left to read; and
answers the next request as if the suggestion that is shown had been taken.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.request import Cell, CompletionRequest, CompletionResult, Outcome, Trigger
from rest_lsp.errors import Cancelled
from rest_lsp.server.backend import CompletionService
from rest_lsp.server.logs import where
from rest_lsp.server.worker import Worker

log = logging.getLogger(__name__)

SOON_S = 0.02
"""A request that comes with the edit itself comes sooner, and reads the same."""
_KEY = "prewarm"
_OPENING = 2000

LOOK_AHEAD_S = 0.3
"""So long an answer is looked at before it is taken, at least."""

TakeAhead = Callable[[CompletionRequest, CompletionResult], None]
MakeRequest = Callable[[], CompletionRequest | None]


class Prewarmer:
    """One place at a time, the newest.  Belongs to the event loop."""

    def __init__(self, engine: Worker, find_service: Callable[[], CompletionService | None]) -> None:
        self._engine = engine
        self._find_service = find_service
        self._loop = asyncio.get_running_loop()
        self._alarm: asyncio.TimerHandle | None = None
        self._place: MakeRequest = lambda: None

    def expect(self, place: MakeRequest, delay_s: float = SOON_S) -> None:
        """Somebody will probably ask at `place`, which is looked up when the time has come."""
        self.give_way()
        self._place = place
        self._alarm = self._loop.call_later(delay_s, self._start)

    def look_ahead(self, request: CompletionRequest, result: CompletionResult, take: TakeAhead) -> None:
        """Complete what will be asked if this answer is taken as it is, unless a key comes first."""
        self.give_way()
        self._alarm = self._loop.call_later(LOOK_AHEAD_S, self._start_ahead, as_if_taken(request, result), take)

    def resume(self) -> None:
        """A model has been loaded: what was expected last has not been read by it."""
        self.expect(self._place)

    def give_way(self) -> None:
        """A request has come: nothing may stand in its way."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._engine.give_up(_KEY)

    def _start(self) -> None:
        self._alarm = None
        request = self._place()
        if request is None or self._find_service() is None or not self._engine.is_alone:
            return

        def work(cancel: CancelToken) -> None:
            # Not held until then: the session that it belongs to may be closed meanwhile.
            service = self._find_service()
            if service is not None:
                service.prewarm(request, cancel)

        self._engine.post(_KEY, work, is_quiet=True, gives_way=True).add_done_callback(_log_failure)

    def _start_ahead(self, request: CompletionRequest, take: TakeAhead) -> None:
        self._alarm = None
        if self._find_service() is None or not self._engine.is_alone:
            return

        def work(cancel: CancelToken) -> CompletionResult | None:
            service = self._find_service()
            return service.complete(request, cancel) if service is not None else None

        future = self._engine.post(_KEY, work, is_quiet=True, gives_way=True)
        future.add_done_callback(lambda done: _take_or_log(done, request, take))


def as_if_taken(request: CompletionRequest, result: CompletionResult) -> CompletionRequest:
    """The request that follows when the answer to `request` is taken."""
    text = request.text[: result.start] + result.text + request.text[result.end :]
    cell = request.cell and Cell(request.cell.start, request.cell.end + len(text) - len(request.text))
    return CompletionRequest(
        text=text,
        offset=result.start + len(result.text),
        path=request.path,
        language=request.language,
        version=request.version,
        trigger=Trigger.AUTOMATIC,
        cell=cell,
    )


def opening_place(text: str) -> int:
    """Where to read ahead in a document that was just opened, whose cursor is not known.

    Prompts for places above begin with the same text, as do those for places a little below.
    """
    return len(text) if len(text) <= _OPENING else text.rfind("\n", 0, _OPENING) + 1


def _take_or_log(future: asyncio.Future[CompletionResult | None], request: CompletionRequest, take: TakeAhead) -> None:
    if future.cancelled() or future.exception() is not None:
        _log_failure(future)
        return
    result = future.result()
    if result is not None and result.outcome in (Outcome.RETURNED, Outcome.EMPTY):
        take(request, result)


def _log_failure(future: asyncio.Future[Any]) -> None:
    error = None if future.cancelled() else future.exception()
    if error is not None and not isinstance(error, Cancelled):
        log.error("A prompt could not be read ahead: %s", where(error))
