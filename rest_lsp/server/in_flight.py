"""A completion that is being written, and who waits for it: its own request, or one for what was typed meanwhile.

Somebody who types what the model is just writing would make it begin anew with every key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeAlias

from rest_lsp.completion.request import CompletionRequest, CompletionResult, Outcome, Trigger
from rest_lsp.completion.reuse import ReuseCache
from rest_lsp.errors import Cancelled

GRACE_S = 0.02
"""Editors cancel what a key supersedes and ask anew right behind that; a forward pass takes longer than this."""

Results: TypeAlias = Sequence[CompletionResult]


class InFlight:
    """One job for the model.  Belongs to the event loop, but for `wrote`."""

    def __init__(self, request: CompletionRequest) -> None:
        self.request = request
        self._loop = asyncio.get_running_loop()
        self._text = ""
        self._job: asyncio.Future[Results | None] = self._loop.create_future()
        self._waiting: asyncio.Future[Results | None] | None = None

    def wrote(self, text: str) -> None:
        """What the model has written so far; called by its thread."""
        self._text = text

    def begin(self, job: asyncio.Future[Results | None]) -> None:
        """From now on `job` does the work."""
        self._job = job
        job.add_done_callback(self._land)

    def leads_to(self, request: CompletionRequest) -> bool:
        """Whether all that was typed since is the beginning of what has been written, and there is more of it."""
        if not _is_of_typing(self.request) or not _is_of_typing(request):
            return False
        written, cursor = ReuseCache(1), self.request.offset
        written.add(self.request, CompletionResult(self._text, cursor, cursor, Outcome.RETURNED))
        return bool(written.find(request))

    async def wait(self) -> Results | None:
        """What the job returns.  Raises what it raises, and Cancelled as soon as somebody else waits instead.

        The work ends when whoever waits last is cancelled and nobody follows.
        """
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Cancelled())
        waiting: asyncio.Future[Results | None] = self._loop.create_future()
        self._waiting = waiting
        if self._job.done():
            self._land(self._job)
        try:
            return await waiting
        except asyncio.CancelledError:
            self._loop.call_later(GRACE_S, self._end_unless_followed, waiting)
            raise

    def _land(self, job: asyncio.Future[Results | None]) -> None:
        error = Cancelled() if job.cancelled() else job.exception()
        waiting = self._waiting
        if waiting is None or waiting.done():
            return
        if error is not None:
            waiting.set_exception(error)
        else:
            waiting.set_result(job.result())

    def _end_unless_followed(self, waiting: asyncio.Future[Results | None]) -> None:
        if self._waiting is waiting:
            self._job.cancel()


def _is_of_typing(request: CompletionRequest) -> bool:
    """Whoever asks by key has more time and wants more than one; an open menu says itself how an answer begins."""
    return request.trigger is Trigger.AUTOMATIC and request.selected_text is None
