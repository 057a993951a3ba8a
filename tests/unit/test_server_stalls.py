"""The watch over the model's thread: what moves is left alone, what does not is told, and given up in the end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from rest_lsp.cancellation import CancelToken
from rest_lsp.server.stalls import Patience, StallWatch
from rest_lsp.server.turns import TurnThread
from rest_lsp.server.worker import Worker

DEADLINE_S = 30.0
PATIENCE = Patience(look_s=0.01, told_after_s=0.2, lost_after_s=0.5)
N_LOOKS = 80
"""More than a stall may take until it is given up."""


class Watched:
    """A worker with a watch that counts what it tells; whoever does not start the watch looks himself."""

    def __init__(self) -> None:
        thread = TurnThread("test")
        self.worker = Worker("test", thread=thread)
        self.told: list[float | None] = []
        self.lost = asyncio.Event()
        self.watch = StallWatch(thread, PATIENCE, self.told.append, self.lost.set)


class Steps:
    """Work that goes on by one step when it is told to; what it does in each says the test."""

    def __init__(self) -> None:
        self._told, self._done = threading.Semaphore(0), threading.Semaphore(0)

    def await_step(self) -> None:
        """In the model's thread: wait until the next step is asked for."""
        self._done.release()
        assert self._told.acquire(timeout=DEADLINE_S)

    def take(self) -> None:
        """Ask for a step."""
        self._told.release()

    async def taken(self) -> None:
        """Until the work waits for its next step."""
        assert await asyncio.to_thread(self._done.acquire, timeout=DEADLINE_S)


def look_during(work: Callable[[CancelToken, Steps], None], n_steps: int) -> Watched:
    """Look N_LOOKS times while a job runs, which takes a step after each of the first `n_steps` looks, and once more
    when it has ended.
    """

    async def scenario() -> Watched:
        watched, steps = Watched(), Steps()
        job = watched.worker.post("job", lambda cancel: work(cancel, steps))
        await steps.taken()
        for turn in range(N_LOOKS):
            watched.watch.look()
            if turn < n_steps:
                steps.take()
                await steps.taken()
        steps.take()
        await asyncio.wait_for(job, DEADLINE_S)
        watched.watch.look()
        watched.worker.stop()
        return watched

    return asyncio.run(scenario())


def test_work_that_tests_its_token_is_no_stall() -> None:
    def work(cancel: CancelToken, steps: Steps) -> None:
        for _ in range(N_LOOKS):
            cancel.raise_if_cancelled()
            steps.await_step()

    assert look_during(work, n_steps=N_LOOKS - 1).told == []


def test_what_takes_its_time_is_no_stall() -> None:
    def work(cancel: CancelToken, steps: Steps) -> None:
        with cancel.unhurried():
            steps.await_step()

    assert look_during(work, n_steps=0).told == []


def test_a_stall_is_told_and_so_is_its_end() -> None:
    watched = look_during(lambda _, steps: steps.await_step(), n_steps=0)
    assert watched.told == [PATIENCE.told_after_s, None]
    assert watched.lost.is_set()


@pytest.mark.parametrize("is_given_up", [True, False])
def test_a_stall_is_one_whether_somebody_still_waits_or_not(is_given_up: bool) -> None:
    async def scenario() -> None:
        watched, release = Watched(), threading.Event()
        watched.watch.start()
        begun = threading.Event()

        def work(_: CancelToken) -> None:
            begun.set()
            release.wait(DEADLINE_S)

        job = watched.worker.post("job", work)
        assert await asyncio.to_thread(begun.wait, DEADLINE_S)
        if is_given_up:
            job.cancel()
        await asyncio.wait_for(watched.lost.wait(), DEADLINE_S)
        release.set()
        watched.watch.stop()
        watched.worker.stop()

    asyncio.run(scenario())
