"""The life of a session: opened after `initialized`, refreshed, exchanged for one with another model, closed.

Opening takes seconds and runs in the engine's thread; refreshing the datastore runs in the indexer's.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rest_lsp.cancellation import CancelToken
from rest_lsp.config import Settings
from rest_lsp.errors import Cancelled, RestLspError
from rest_lsp.server.backend import Datastore, OpenSession, Session
from rest_lsp.server.feedback import ProgressRelay
from rest_lsp.server.logs import where
from rest_lsp.server.resting import RestTimer, log_failure
from rest_lsp.server.status import StatusBoard
from rest_lsp.server.worker import Worker

log = logging.getLogger(__name__)

Outcome = TypeVar("Outcome")
_INDEXER_END_S = 0.5
_REQUESTS_END_S = 1.0


class SessionKeeper:
    """Holds at most one session.  All methods belong to the event loop."""

    def __init__(
        self,
        open_session: OpenSession,
        engine: Worker,
        indexer: Worker,
        status: StatusBoard,
        on_open: Callable[[Session, Settings], None],
    ) -> None:
        self.session: Session | None = None
        self._open_session = open_session
        self._engine = engine
        self._indexer = indexer
        self._status = status
        self._on_open = on_open
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._resting = RestTimer(engine)
        # Touched in the engine's thread only, so that a session that was superseded while it opened is closed, too.
        self._live: Session | None = None

    def open(self, settings: Settings, roots: Sequence[Path]) -> asyncio.Task[bool | None]:
        """Open in the background, after closing what was open; the outcome goes to the status board.

        The task says whether it is open now; None when another one was asked for meanwhile.
        """
        self._let_go()
        self._indexer.give_up("refresh")
        # Whatever still waits or runs for a completion would keep the old model in memory while the new one loads.
        self._engine.give_up_all()
        return self._start(self._open(settings, roots))

    def apply(self, settings: Settings, roots: Sequence[Path]) -> None:
        """Bring the session in line with other options and folders; a model is loaded only where it must be."""
        if self.session is None:
            self.open(settings, roots)
        else:
            self._indexer.give_up("refresh")
            # Nobody waits for answers by the old options, and a running one would delay the new ones.
            self._engine.give_up_all()
            self._start(self._apply(settings, roots))

    def reindex(self) -> bool:
        """Bring the datastore up to date in the background; False when there is none."""
        if self.session is None or self.session.datastore is None:
            return False
        self._start(self._refresh(self.session.datastore, then_watch=False))
        return True

    def compare_index(self) -> None:
        """The editor has the focus again: what happened on disk meanwhile may have been missed."""
        if self.session is not None and self.session.datastore is not None:
            self.session.datastore.compare_soon()

    def wake(self) -> asyncio.Future[None] | None:
        """Somebody is back: a model that rests is loaded again, seconds before it is asked; None without a session."""
        session = self.session
        if session is None:
            return None

        def work(cancel: CancelToken) -> None:
            with cancel.unhurried():
                session.wake()

        woken = self._engine.post("wake", work, is_quiet=not session.is_resting, gives_way=True)
        woken.add_done_callback(log_failure)
        return woken

    def rest_after(self, idle_minutes: float) -> None:
        """From now on let the model rest after so long without a request; 0 keeps it loaded."""
        if self.session is not None:
            self._resting.follow(self.session, 60 * idle_minutes)

    def close(self) -> None:
        """Cancel everything and close the session in the engine's thread, which then ends.  Returns at once."""
        self._let_go()
        self._indexer.stop()
        self._engine.stop(last=self._close_last)

    def _let_go(self) -> None:
        self.session = None
        self._resting.stop()

    def _start(self, work: Coroutine[Any, Any, Outcome]) -> asyncio.Task[Outcome]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _open(self, settings: Settings, roots: Sequence[Path]) -> bool | None:
        self._status.loading()

        def work(cancel: CancelToken) -> Session:
            relay = ProgressRelay(self._status.loading_progress, self._on_loop, lambda: cancel.is_cancelled)
            with cancel.unhurried():
                self._let_requests_end()
                self._close_live()
                self._live = self._open_session(settings, roots, relay)
                return self._live

        try:
            session = await self._engine.post("session", work)
        except Cancelled:
            return None
        except RestLspError as error:
            self._status.failed(error.message, error.hint)
        except Exception as error:  # noqa: BLE001 - the server lives on without a model
            log.error("The model could not be loaded: %s", where(error))
            self._status.failed(
                f"The model could not be loaded ({type(error).__name__}).",
                "Run `rest-lsp doctor`; the log says where it failed.",
            )
        else:
            self.session = session
            self._status.loaded(session)
            self._use(session, settings)
        return self.session is not None

    async def _apply(self, settings: Settings, roots: Sequence[Path]) -> None:
        def work(cancel: CancelToken) -> bool:
            with cancel.unhurried():
                return self._live is not None and self._live.apply(settings, roots)

        try:
            is_applied = await self._engine.post("session", work, is_quiet=True)
        except Cancelled:
            return
        except RestLspError as error:
            # Whatever it was, the model goes on working.
            self._status.indexing_failed(str(error))
            is_applied = True
        if not is_applied:
            self.open(settings, roots)
        elif self.session is not None:
            self._use(self.session, settings)

    def _use(self, session: Session, settings: Settings) -> None:
        self._on_open(session, settings)
        self.rest_after(settings.server.unload_minutes)
        if session.datastore is not None:
            self._start(self._refresh(session.datastore, then_watch=settings.datastore.watch))

    async def _refresh(self, datastore: Datastore, *, then_watch: bool) -> None:
        self._status.indexing()

        def work(cancel: CancelToken) -> None:
            # The datastore has the token itself and must not be interrupted elsewhere.
            datastore.refresh(ProgressRelay(self._status.indexing_progress, self._on_loop, lambda: False), cancel)
            if then_watch and not cancel.is_cancelled:
                datastore.watch()

        try:
            await self._indexer.post("refresh", work)
        except Cancelled:
            return
        except RestLspError as error:
            self._status.indexing_failed(str(error))
        except Exception as error:  # noqa: BLE001 - completions work without an index
            log.error("The workspace could not be indexed: %s", where(error))
            self._status.indexing_failed(f"The workspace could not be indexed ({type(error).__name__}).")
        else:
            self._status.indexed()

    def _on_loop(self, call: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(call)

    def _let_requests_end(self) -> None:
        """Requests that were given up must have let go of the session, or its weights would outlive it for a while."""
        have_ended = threading.Event()
        self._on_loop(lambda: self._on_loop(have_ended.set))
        have_ended.wait(_REQUESTS_END_S)

    def _close_last(self) -> None:
        self._indexer.join(_INDEXER_END_S)
        self._close_live()

    def _close_live(self) -> None:
        session, self._live = self._live, None
        if session is not None:
            try:
                session.close()
            except Exception as error:  # noqa: BLE001 - a new session must be able to open all the same
                log.error("A session could not be closed: %s", where(error))
            session = None
            # Weights are large, so they must not wait for Python to look for reference cycles.
            gc.collect()
