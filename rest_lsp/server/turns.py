"""One thread that several workers take turns in, so that no window waits longer than its share.

A worker whose turn was longest ago goes first.  Work that gives way runs only while nobody else has anything to do, and
is interrupted when somebody has.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rest_lsp.cancellation import CancelToken
from rest_lsp.errors import Cancelled


@dataclass(frozen=True, eq=False)
class Job:
    """Something to do, and who waits for it.  It runs in the context in which it was posted."""

    key: str
    work: Callable[[CancelToken], Any]
    cancel: CancelToken
    future: asyncio.Future[Any]
    is_quiet: bool
    gives_way: bool
    context: contextvars.Context = field(default_factory=contextvars.copy_context)

    def abandon(self) -> None:
        """Its future fails with `Cancelled` now; to be called on the event loop."""
        self.cancel.cancel()
        if not self.future.done():
            self.future.set_exception(Cancelled())


@dataclass(eq=False)
class Lane:
    """One worker's jobs.  Guarded by the thread's condition.

    do      runs one job
    last    runs when the lane has ended
    """

    do: Callable[[Job], None]
    waiting: dict[str, Job] = field(default_factory=dict)
    running: Job | None = None
    is_stopping: bool = False
    last: Callable[[], None] = lambda: None
    has_ended: threading.Event = field(default_factory=threading.Event)

    def jobs(self) -> list[Job]:
        return [*self.waiting.values(), *([self.running] if self.running else [])]

    def newest(self, *, gives_way: bool) -> str | None:
        """The key of the job that was posted last, among those that give way or those that do not."""
        return next((key for key, job in reversed(self.waiting.items()) if job.gives_way == gives_way), None)


class TurnThread:
    """Runs the jobs of its lanes.  It ends with its last lane, unless it is `kept` for lanes that may come."""

    def __init__(self, name: str, *, kept: bool = False) -> None:
        self.changed = threading.Condition()
        self._kept = kept
        self._lanes: list[Lane] = []
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._started = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs or waits in any lane.  To be called with `changed` held."""
        return not any(lane.jobs() for lane in self._lanes)

    def is_idle_but_for(self, lane: Lane) -> bool:
        """Whether nothing runs or waits in any other lane.  To be called with `changed` held."""
        return not any(other.jobs() for other in self._lanes if other is not lane)

    @property
    def running(self) -> Job | None:
        """What the thread does just now."""
        with self.changed:
            return next((lane.running for lane in self._lanes if lane.running is not None), None)

    def add(self, lane: Lane) -> None:
        """Give `lane` its turns from now on."""
        with self.changed:
            self._lanes.append(lane)
            if not self._started:
                self._started = True
                self._thread.start()

    def interruptible(self, but: Lane) -> list[Job]:
        """What runs in other lanes and gives way.  To be called with `changed` held."""
        running = [lane.running for lane in self._lanes if lane is not but]
        return [job for job in running if job is not None and job.gives_way]

    def _run(self) -> None:
        while (lane := self._next()) is not None:
            if lane.running is not None:
                lane.do(lane.running)
            else:
                lane.last()
                lane.has_ended.set()

    def _next(self) -> Lane | None:
        """The lane whose turn it is, with its job running, or stopping with none; None when there will be no more."""
        with self.changed:
            while self._lanes or self._kept:
                lane = next((lane for lane in self._lanes if lane.is_stopping), None)
                if lane is not None:
                    self._lanes.remove(lane)
                    return lane
                if (lane := self._take(gives_way=False) or self._take(gives_way=True)) is not None:
                    return lane
                self.changed.wait()
        return None

    def _take(self, *, gives_way: bool) -> Lane | None:
        for lane in self._lanes:
            key = lane.newest(gives_way=gives_way)
            if key is not None:
                lane.running = lane.waiting.pop(key)
                self._lanes.remove(lane)
                self._lanes.append(lane)
                return lane
        return None
