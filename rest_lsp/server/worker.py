"""One thread, one waiting job per key, the newest wins.  Does not know what the jobs do."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from rest_lsp.cancellation import CancelToken
from rest_lsp.errors import Cancelled
from rest_lsp.server.usage import Usage

Result = TypeVar("Result")
log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Job:
    key: str
    work: Callable[[CancelToken], Any]
    cancel: CancelToken
    future: asyncio.Future[Any]
    is_quiet: bool


class Worker:
    """Runs jobs in a thread of its own and answers on the event loop.

    `post`, `give_up` and `stop` belong to the event loop's thread.  Jobs of other keys wait for the running one; the
    key that was posted last goes first, since it is the one somebody looks at.
    """

    def __init__(self, name: str, on_busy: Callable[[bool], None] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_busy = on_busy
        self.usage = Usage()
        self._waiting: dict[str, _Job] = {}
        self._running: _Job | None = None
        self._stopping = False
        self._last: Callable[[], None] | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs or waits."""
        with self._changed:
            return self._running is None and not self._waiting

    def post(
        self, key: str, work: Callable[[CancelToken], Result], *, is_quiet: bool = False
    ) -> asyncio.Future[Result]:
        """Run `work(cancel)` soon.  The future fails with `Cancelled` as soon as a newer job has the same key.

        Cancelling the future sets the job's token; a job that has not started never will.  A quiet one is not reported
        as work.
        """
        job = _Job(key, work, CancelToken(), self._loop.create_future(), is_quiet)
        cancel = job.cancel
        job.future.add_done_callback(lambda future: cancel.cancel() if future.cancelled() else None)
        self.give_up(key)
        with self._changed:
            if self._stopping:
                job.future.set_exception(Cancelled())
            else:
                self._waiting[key] = job
                self._changed.notify()
        return job.future

    def give_up(self, key: str) -> None:
        """Cancel what waits or runs under `key`; its future fails with `Cancelled` now, not when the thread notices."""
        with self._changed:
            jobs = [self._waiting.pop(key, None), self._running if self._running and self._running.key == key else None]
        for job in jobs:
            if job is not None:
                _abandon(job)

    def give_up_all(self) -> None:
        """`give_up` for every key."""
        with self._changed:
            jobs = [*self._waiting.values(), *([self._running] if self._running else [])]
            self._waiting.clear()
        for job in jobs:
            _abandon(job)

    def stop(self, last: Callable[[], None] | None = None) -> None:
        """Cancel everything, then run `last` in the thread and end it.  Returns at once."""
        with self._changed:
            jobs = [*self._waiting.values(), *([self._running] if self._running else [])]
            self._waiting.clear()
            self._stopping = True
            self._last = last
            self._changed.notify()
        for job in jobs:
            _abandon(job)

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread's end; False when it did not come in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            self._do(job)
        if self._last is not None:
            self._last()

    def _do(self, job: _Job) -> None:
        """A function of its own, so that nothing of a job and its result outlives it in the thread's variables."""
        outcome: Callable[[], None]
        start_s = time.monotonic()
        try:
            result = job.work(job.cancel)
        except BaseException as error:  # noqa: BLE001 - whatever a job raises belongs to who posted it
            outcome = _failing(job.future, error)
        else:
            outcome = _succeeding(job.future, result)
        end_s, cancelled_s = time.monotonic(), job.cancel.cancelled_s
        lingered_s = None if cancelled_s is None else end_s - max(cancelled_s, start_s)
        self.usage.job_ended(end_s - start_s, lingered_s, is_quiet=job.is_quiet)
        with self._changed:
            self._running = None
        self._on_loop(outcome)
        self._report_busy(job, is_busy=False)

    def _next(self) -> _Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            if self._stopping:
                return None
            _, self._running = self._waiting.popitem()
            job = self._running
        self._report_busy(job, is_busy=True)
        return job

    def _report_busy(self, job: _Job, *, is_busy: bool) -> None:
        if self._on_busy is not None and not job.is_quiet:
            on_busy = self._on_busy
            self._on_loop(lambda: on_busy(is_busy))

    def _on_loop(self, call: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            log.debug("The event loop had ended before a job's result came.")


def _abandon(job: _Job) -> None:
    job.cancel.cancel()
    if not job.future.done():
        job.future.set_exception(Cancelled())


def _failing(future: asyncio.Future[Any], error: BaseException) -> Callable[[], None]:
    """Holds nothing of the job: what it worked with may be large, and the loop may take its time."""
    if isinstance(error, Cancelled):
        error = Cancelled()
    return lambda: None if future.done() else future.set_exception(error)


def _succeeding(future: asyncio.Future[Any], result: object) -> Callable[[], None]:
    return lambda: None if future.done() else future.set_result(result)
