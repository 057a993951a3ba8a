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
    """A worker with a watch that counts what it tells."""

    def __init__(self) -> None:
        thread = TurnThread("test")
        self.worker = Worker("test", thread=thread)
        self.told: list[float | None] = []
        self.lost = asyncio.Event()
        self.watch = StallWatch(thread, PATIENCE, self.told.append, self.lost.set)
        self.watch.start()


def run_to_its_end(work: Callable[[CancelToken], None]) -> Watched:
    """Let a job run that ends by itself, under a watch."""

    async def scenario() -> Watched:
        watched = Watched()
        await asyncio.wait_for(watched.worker.post("job", work), DEADLINE_S)
        await asyncio.sleep(3 * PATIENCE.look_s)
        watched.watch.stop()
        watched.worker.stop()
        return watched

    return asyncio.run(scenario())


def wait_for_looks() -> None:
    threading.Event().wait(N_LOOKS * PATIENCE.look_s)


def test_work_that_tests_its_token_is_no_stall() -> None:
    def work(cancel: CancelToken) -> None:
        for _ in range(N_LOOKS):
            cancel.raise_if_cancelled()
            threading.Event().wait(PATIENCE.look_s)

    assert run_to_its_end(work).told == []


def test_what_takes_its_time_is_no_stall() -> None:
    def work(cancel: CancelToken) -> None:
        with cancel.unhurried():
            wait_for_looks()

    assert run_to_its_end(work).told == []


def test_a_stall_is_told_and_so_is_its_end() -> None:
    watched = run_to_its_end(lambda _: wait_for_looks())
    assert watched.told == [PATIENCE.told_after_s, None]
    assert watched.lost.is_set()


@pytest.mark.parametrize("is_given_up", [True, False])
def test_a_stall_is_one_whether_somebody_still_waits_or_not(is_given_up: bool) -> None:
    async def scenario() -> None:
        watched, release = Watched(), threading.Event()
        job = watched.worker.post("job", lambda _: release.wait(DEADLINE_S))
        if is_given_up:
            await asyncio.sleep(PATIENCE.look_s)
            job.cancel()
        await asyncio.wait_for(watched.lost.wait(), DEADLINE_S)
        release.set()
        watched.watch.stop()
        watched.worker.stop()

    asyncio.run(scenario())
