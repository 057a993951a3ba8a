"""Notices when the model's thread does not move any more, which nothing in that thread could tell.

A pass cannot be interrupted: a driver that hangs, or a lock that nobody lets go, would leave every window without
suggestions and without a word.  Whatever runs tests its cancel token before each pass, so a token that is not tested
for long is the sign.  Looks are counted rather than seconds, since a machine that slept has not waited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from rest_lsp.server.turns import TurnThread


class Patience(NamedTuple):
    """How often it is looked, when people are told, and when there is no hope left.

    A pass takes a second at most and a chunk of a prompt some seconds on the slowest machine; compiling kernels, once
    after an update, takes a minute or two.
    """

    look_s: float = 1.0
    told_after_s: float = 10.0
    lost_after_s: float = 180.0


PATIENCE = Patience()


class StallWatch:
    """Belongs to the event loop.

    on_still   told after how many seconds a stall is one, and None when it has ended
    on_lost    called once for each stall that has lasted too long
    """

    def __init__(
        self,
        thread: TurnThread,
        patience: Patience,
        on_still: Callable[[float | None], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._thread, self._patience = thread, patience
        self._on_still, self._on_lost = on_still, on_lost
        self._sign: object = None
        self._n_looks = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._poll())

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._patience.look_s)
            self.look()

    def look(self) -> None:
        """Look once, for `start`, and for whoever counts looks instead of seconds."""
        told_after, lost_after = (int(s / self._patience.look_s) for s in self._patience[1:])
        job = self._thread.running
        sign = None if job is None or job.cancel.is_unhurried else (id(job), job.cancel.n_tests)
        if sign is None or sign != self._sign:
            if self._n_looks >= told_after:
                self._on_still(None)
            self._sign, self._n_looks = sign, 0
            return
        self._n_looks += 1
        if self._n_looks == told_after:
            self._on_still(self._patience.told_after_s)
        if self._n_looks == lost_after:
            self._on_lost()
