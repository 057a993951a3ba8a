"""Whether those who started the process still live.  Knows nothing of the protocol."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from rest_lsp.processes import is_alive, is_parent

POLL_INTERVAL_S = 0.5


class ParentWatch:
    """Polls, since no system tells a process that its parent has died in a way that works on all of them."""

    def __init__(self, on_orphaned: Callable[[str], None], *, watches_parent: bool = True) -> None:
        self._on_orphaned = on_orphaned
        self._parent = os.getppid() if watches_parent else None
        self._editor: int | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Watch the parent; to be called on the event loop."""
        self._task = asyncio.get_running_loop().create_task(self._poll())

    def watch_editor(self, process_id: int | None) -> None:
        """Watch also the process that the editor named in `initialize`."""
        self._editor = process_id

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _poll(self) -> None:
        while True:
            if self._parent is not None and not is_parent(self._parent):
                self._on_orphaned("The process that started the server has ended.")
                return
            if self._editor is not None and not is_alive(self._editor):
                self._on_orphaned(f"The editor's process {self._editor} has ended.")
                return
            await asyncio.sleep(POLL_INTERVAL_S)
