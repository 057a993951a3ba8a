"""A completion that is being written, and who waits for it: its own request, or one for what was typed meanwhile.

Somebody who types what the model is just writing would make it begin anew with every key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from rest_lsp.completion.request import CompletionRequest, CompletionResult, Outcome, Trigger
from rest_lsp.completion.reuse import ReuseCache
from rest_lsp.errors import Cancelled

GRACE_S = 0.02
"""So long after a request was cancelled the edit behind that has been seen, and a request if one comes with it."""

PATIENCE_S = 0.1
"""Visual Studio Code cancels with each key and asks anew 50 ms later; work that agrees with the key goes on so long."""

_MOST_TYPED = 8
"""Characters, closers that an editor adds included, that come within PATIENCE_S."""

Written: TypeAlias = Sequence[CompletionResult]
ReadText: TypeAlias = Callable[[], "str | None"]


class InFlight:
    """One job for the model.  Belongs to the event loop, but for `wrote`."""

    def __init__(self, request: CompletionRequest, read_text: ReadText) -> None:
        """`read_text` returns what `request.text` has become; None when the document is closed."""
        self.request = request
        self._read_text = read_text
        self._loop = asyncio.get_running_loop()
        self._text = ""
        self._job: asyncio.Future[Written | None] | None = None
        self._waiting: asyncio.Future[Written | None] | None = None

    def wrote(self, text: str) -> None:
        """What the model has written so far; called by its thread."""
        self._text = text

    def begin(self, job: asyncio.Future[Written | None]) -> None:
        """From now on `job` does the work."""
        self._job = job
        job.add_done_callback(self._land)

    def leads_to(self, request: CompletionRequest) -> bool:
        """Whether all that was typed since is the beginning of what has been written, and there is more of it."""
        if self._job is None or self._job.done() or not _is_of_typing(self.request) or not _is_of_typing(request):
            return False
        written, cursor = ReuseCache(1), self.request.offset
        near = self.request.text[max(0, cursor - 1000) : cursor + 1000]
        text = self._text.replace("\n", "\r\n") if "\r\n" in near else self._text
        written.add(self.request, CompletionResult(text, cursor, cursor, Outcome.RETURNED))
        return bool(written.find(request))

    def join(self) -> asyncio.Future[Written | None]:
        """What the job returns, or its exception; Cancelled as soon as somebody else joins.

        When the last who joined is cancelled and nobody follows, the work ends.
        """
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Cancelled())
        waiting: asyncio.Future[Written | None] = self._loop.create_future()
        waiting.add_done_callback(self._left)
        self._waiting = waiting
        return waiting

    def _land(self, job: asyncio.Future[Written | None]) -> None:
        error = Cancelled() if job.cancelled() else job.exception()
        waiting = self._waiting
        if waiting is None or waiting.done():
            return
        if error is not None:
            waiting.set_exception(error)
        else:
            waiting.set_result(job.result())

    def _left(self, waiting: asyncio.Future[Written | None]) -> None:
        if waiting.cancelled():
            self._loop.call_later(GRACE_S, self._look_at_edit, waiting)

    def _look_at_edit(self, waiting: asyncio.Future[Written | None]) -> None:
        if self._waiting is waiting:
            patience_s = PATIENCE_S if self._agrees_with(self._read_text()) else 0.0
            self._loop.call_later(patience_s, self._end_unless_followed, waiting)

    def _end_unless_followed(self, waiting: asyncio.Future[Written | None]) -> None:
        if self._waiting is waiting and self._job is not None:
            self._job.cancel()

    def _agrees_with(self, text: str | None) -> bool:
        """Whether somebody has typed on, and only what has been written."""
        if text is None or text == self.request.text:
            return False
        before = self.request.offset
        typed = [replace(self.request, text=text, offset=before + n) for n in range(1, _MOST_TYPED + 1)]
        return any(self.leads_to(request) for request in typed if request.offset <= len(text))


def _is_of_typing(request: CompletionRequest) -> bool:
    """Whoever asks by key has more time and wants more than one; an open menu says itself how an answer begins."""
    return request.trigger is Trigger.AUTOMATIC and request.selected_text is None
