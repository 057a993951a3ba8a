"""Waiting a moment before the model is asked, unless something newer comes.  Does not know for how long it pays."""

from __future__ import annotations

import asyncio

from rest_lsp.errors import Cancelled


class Pauses:
    """At most one pause per key; a newer one ends the older.  Belongs to the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[str, asyncio.Future[None]] = {}

    async def wait(self, key: str, seconds: float) -> None:
        """Raises Cancelled at once when `supersede` is called for `key` meanwhile."""
        self.supersede(key)
        if seconds <= 0:
            return
        future: asyncio.Future[None] = self._loop.create_future()
        self._waiting[key] = future
        alarm = self._loop.call_later(seconds, _end, future)
        try:
            await future
        finally:
            alarm.cancel()
            if self._waiting.get(key) is future:
                del self._waiting[key]

    def supersede(self, key: str) -> None:
        """Whoever waits under `key` waits in vain."""
        future = self._waiting.pop(key, None)
        if future is not None and not future.done():
            future.set_exception(Cancelled())


def _end(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
