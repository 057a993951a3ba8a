"""Reads prompts before they are asked for: when a document is opened or edited and the model has nothing else to do.

What was read stays in the model's cache, so that the request which follows has little left to read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.request import CompletionRequest
from rest_lsp.errors import Cancelled
from rest_lsp.server.backend import CompletionService
from rest_lsp.server.logs import where
from rest_lsp.server.worker import Worker

log = logging.getLogger(__name__)

SOON_S = 0.02
"""A request that comes with the edit itself comes sooner, and reads the same."""
_KEY = "prewarm"
_OPENING = 2000

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
        request, service = self._place(), self._find_service()
        if request is None or service is None or not self._engine.is_idle:
            return

        def work(cancel: CancelToken) -> None:
            service.prewarm(request, cancel)

        self._engine.post(_KEY, work, is_quiet=True).add_done_callback(_log_failure)


def opening_place(text: str) -> int:
    """Where to read ahead in a document that was just opened, whose cursor is not known.

    Prompts for places above begin with the same text, as do those for places a little below.
    """
    return len(text) if len(text) <= _OPENING else text.rfind("\n", 0, _OPENING) + 1


def _log_failure(future: asyncio.Future[None]) -> None:
    error = None if future.cancelled() else future.exception()
    if error is not None and not isinstance(error, Cancelled):
        log.error("A prompt could not be read ahead: %s", where(error))
