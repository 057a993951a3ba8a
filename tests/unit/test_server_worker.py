"""The worker thread: newest wins, cancellation reaches the job, everybody gets an answer."""

from __future__ import annotations

import asyncio
import threading

import pytest

from rest_lsp.cancellation import CancelToken
from rest_lsp.errors import Cancelled
from rest_lsp.server.worker import Worker

DEADLINE_S = 30.0


class Held:
    """A job that runs until it is released or cancelled."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.release = threading.Event()
        self.saw_cancel = threading.Event()

    def __call__(self, cancel: CancelToken) -> str:
        self.started.set()
        while not self.release.wait(0.001):
            if cancel.is_cancelled:
                self.saw_cancel.set()
                raise Cancelled
        return "done"

    async def wait_started(self) -> None:
        assert await asyncio.to_thread(self.started.wait, DEADLINE_S)


def test_a_newer_job_supersedes_the_running_one_at_once() -> None:
    async def scenario() -> None:
        worker, old = Worker("test"), Held()
        superseded = worker.post("a", old)
        await old.wait_started()
        newer = worker.post("a", lambda _: "new")
        assert superseded.done(), "the older job is answered before the thread has noticed"
        with pytest.raises(Cancelled):
            await superseded
        assert await asyncio.wait_for(newer, DEADLINE_S) == "new"
        assert old.saw_cancel.is_set()

    asyncio.run(scenario())


def test_only_the_newest_waiting_job_of_a_key_runs() -> None:
    async def scenario() -> None:
        worker, blocker, ran = Worker("test"), Held(), list[int]()
        blocked = worker.post("other", blocker)
        await blocker.wait_started()
        waiting = [worker.post("a", lambda _, number=number: ran.append(number)) for number in range(50)]  # type: ignore[misc]
        blocker.release.set()
        results = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), DEADLINE_S)
        assert [isinstance(result, Cancelled) for result in results] == [True] * 49 + [False]
        assert ran == [49]
        assert await blocked == "done", "a job of another key is left alone"

    asyncio.run(scenario())


def test_the_key_posted_last_goes_first() -> None:
    async def scenario() -> None:
        worker, blocker, order = Worker("test"), Held(), list[str]()
        first = worker.post("blocker", blocker)
        await blocker.wait_started()
        rest = [worker.post(key, lambda _, key=key: order.append(key)) for key in "abc"]  # type: ignore[misc]
        blocker.release.set()
        await asyncio.wait_for(asyncio.gather(first, *rest), DEADLINE_S)
        assert order == ["c", "b", "a"]

    asyncio.run(scenario())


def test_cancelling_the_future_reaches_the_job() -> None:
    async def scenario() -> None:
        worker, job = Worker("test"), Held()
        future = worker.post("a", job)
        await job.wait_started()
        future.cancel()
        assert await asyncio.to_thread(job.saw_cancel.wait, DEADLINE_S)

    asyncio.run(scenario())


def test_a_failing_job_fails_its_future_and_not_the_thread() -> None:
    async def scenario() -> None:
        worker = Worker("test")
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(worker.post("a", lambda _: 1 // 0), DEADLINE_S)
        assert await asyncio.wait_for(worker.post("a", lambda _: 1), DEADLINE_S) == 1

    asyncio.run(scenario())


def test_stop_cancels_everything_and_runs_the_last_call_in_the_thread() -> None:
    async def scenario() -> None:
        worker, running, ended_in = Worker("the-thread"), Held(), list[str]()
        futures = [worker.post("a", running)]
        await running.wait_started()
        futures.append(worker.post("b", lambda _: None))  # type: ignore[arg-type, return-value]
        worker.stop(last=lambda: ended_in.append(threading.current_thread().name))
        futures.append(worker.post("c", lambda _: None))  # type: ignore[arg-type, return-value]
        results = await asyncio.gather(*futures, return_exceptions=True)
        assert all(isinstance(result, Cancelled) for result in results)
        assert await asyncio.to_thread(worker.join, DEADLINE_S)
        assert ended_in == ["the-thread"]

    asyncio.run(scenario())


def test_busy_is_told_once_per_job() -> None:
    async def scenario() -> None:
        told: asyncio.Queue[bool] = asyncio.Queue()
        worker = Worker("test", on_busy=told.put_nowait)
        await worker.post("a", lambda _: None)
        await worker.post("a", lambda _: None)
        assert [await asyncio.wait_for(told.get(), DEADLINE_S) for _ in range(4)] == [True, False, True, False]

    asyncio.run(scenario())
