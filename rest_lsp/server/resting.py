"""A model that nobody uses for a while gives its memory back; the next request loads it again."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from rest_lsp.errors import Cancelled
from rest_lsp.server.logs import where
from rest_lsp.server.worker import Worker

log = logging.getLogger(__name__)

_LOOKS = 4
"""So often within the time after which a model may rest is it looked whether it may."""


class Restful(Protocol):
    """What a session can do for it, in the engine's thread."""

    def rest(self, idle_s: float) -> None: ...


class RestTimer:
    """Follows one session at a time.  Belongs to the event loop."""

    def __init__(self, engine: Worker) -> None:
        self._engine = engine
        self._timer: asyncio.TimerHandle | None = None

    def follow(self, session: Restful, idle_s: float) -> None:
        """From now on let this one rest whenever nobody has used its model for `idle_s`; never, where that is 0."""
        self.stop()
        if idle_s:
            self._timer = asyncio.get_running_loop().call_later(idle_s / _LOOKS, self._look, session, idle_s)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, session: Restful, idle_s: float) -> None:
        if self._engine.is_idle:
            resting = self._engine.post("rest", lambda _: session.rest(idle_s), is_quiet=True)
            resting.add_done_callback(log_failure)
        self.follow(session, idle_s)


def log_failure(future: asyncio.Future[None]) -> None:
    """A rest that failed or was cancelled is tried again later, and so is the end of one, by the next request."""
    error = None if future.cancelled() else future.exception()
    if error is not None and not isinstance(error, Cancelled):
        log.error("The model could not be unloaded or loaded again: %s", where(error))
