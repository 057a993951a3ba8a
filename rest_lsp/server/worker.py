"""One waiting job per key, the newest wins, in a thread of its own or in turns with others.  Does not know the jobs."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from rest_lsp.cancellation import CancelToken
from rest_lsp.errors import Cancelled
from rest_lsp.server.turns import Job, Lane, TurnThread
from rest_lsp.server.usage import Usage

Result = TypeVar("Result")
log = logging.getLogger(__name__)


class Worker:
    """Runs jobs in a thread and answers on the event loop.

    `post`, `give_up` and `stop` belong to the event loop's thread.  Jobs of other keys wait for the running one; the
    key that was posted last goes first, since it is the one somebody looks at.
    """

    def __init__(
        self, name: str, on_busy: Callable[[bool], None] | None = None, *, thread: TurnThread | None = None
    ) -> None:
        """Without a `thread` that others use as well, it gets one of its own with that name."""
        self._loop = asyncio.get_running_loop()
        self._on_busy = on_busy
        self.usage = Usage()
        self._thread = thread or TurnThread(name)
        self._changed = self._thread.changed
        self._lane = Lane(self._do)
        self._thread.add(self._lane)

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs or waits, also of the others in this thread."""
        with self._changed:
            return self._thread.is_idle

    @property
    def is_alone(self) -> bool:
        """Whether nothing of the others in this thread runs or waits."""
        with self._changed:
            return self._thread.is_idle_but_for(self._lane)

    def post(
        self, key: str, work: Callable[[CancelToken], Result], *, is_quiet: bool = False, gives_way: bool = False
    ) -> asyncio.Future[Result]:
        """Run `work(cancel)` soon.  The future fails with `Cancelled` as soon as a newer job has the same key.

        Cancelling the future sets the job's token; a job that has not started never will.  A quiet one is not reported
        as work; one that gives way is cancelled when another worker posts one that does not.
        """
        job = Job(key, work, CancelToken(), self._loop.create_future(), is_quiet, gives_way)
        cancel = job.cancel
        job.future.add_done_callback(lambda future: cancel.cancel() if future.cancelled() else None)
        self.give_up(key)
        in_the_way: list[Job] = []
        with self._changed:
            if self._lane.is_stopping:
                job.future.set_exception(Cancelled())
            else:
                self._lane.waiting[key] = job
                in_the_way = [] if gives_way else self._thread.interruptible(self._lane)
                self._changed.notify()
        for other in in_the_way:
            other.abandon()
        return job.future

    def give_up(self, key: str) -> None:
        """Cancel what waits or runs under `key`; its future fails with `Cancelled` now, not when the thread notices."""
        with self._changed:
            jobs = [job for job in self._lane.jobs() if job.key == key]
            self._lane.waiting.pop(key, None)
        for job in jobs:
            job.abandon()

    def give_up_all(self) -> None:
        """`give_up` for every key."""
        with self._changed:
            jobs = self._lane.jobs()
            self._lane.waiting.clear()
        for job in jobs:
            job.abandon()

    def stop(self, last: Callable[[], None] | None = None) -> None:
        """Cancel everything, then run `last` in the thread and end there.  Returns at once."""
        context = contextvars.copy_context()
        with self._changed:
            jobs = self._lane.jobs()
            self._lane.waiting.clear()
            if last is not None:
                self._lane.last = lambda: context.run(last)
            self._lane.is_stopping = True
            self._changed.notify()
        for job in jobs:
            job.abandon()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end of what was stopped; False when it did not come in time."""
        return self._lane.has_ended.wait(timeout_s)

    def _do(self, job: Job) -> None:
        """A function of its own, so that nothing of a job and its result outlives it in the thread's variables."""
        self._report_busy(job, is_busy=True)
        outcome: Callable[[], None]
        start_s = time.monotonic()
        try:
            result = job.context.run(job.work, job.cancel)
        except BaseException as error:  # noqa: BLE001 - whatever a job raises belongs to who posted it
            outcome = _failing(job.future, error)
        else:
            outcome = _succeeding(job.future, result)
        end_s, cancelled_s = time.monotonic(), job.cancel.cancelled_s
        lingered_s = None if cancelled_s is None else end_s - max(cancelled_s, start_s)
        self.usage.job_ended(end_s - start_s, lingered_s, is_quiet=job.is_quiet)
        with self._changed:
            self._lane.running = None
        self._on_loop(outcome)
        self._report_busy(job, is_busy=False)

    def _report_busy(self, job: Job, *, is_busy: bool) -> None:
        if self._on_busy is not None and not job.is_quiet:
            on_busy = self._on_busy
            self._on_loop(lambda: on_busy(is_busy))

    def _on_loop(self, call: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            log.debug("The event loop had ended before a job's result came.")


def _failing(future: asyncio.Future[Any], error: BaseException) -> Callable[[], None]:
    """Holds nothing of the job: what it worked with may be large, and the loop may take its time."""
    if isinstance(error, Cancelled):
        error = Cancelled()
    return lambda: None if future.done() else future.set_exception(error)


def _succeeding(future: asyncio.Future[Any], result: object) -> Callable[[], None]:
    return lambda: None if future.done() else future.set_result(result)
