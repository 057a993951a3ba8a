"""Workers that share a thread: nobody waits longer than a turn of each other, and what can wait does."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from rest_lsp.errors import Cancelled
from rest_lsp.server.turns import TurnThread
from rest_lsp.server.worker import Worker
from tests.unit.test_server_worker import DEADLINE_S, Held


def note(order: list[str], word: str) -> str:
    order.append(word)
    return word


def test_workers_take_turns_however_much_one_of_them_wants() -> None:
    async def scenario() -> None:
        thread, blocker, order = TurnThread("test", kept=True), Held(), list[str]()
        greedy, modest = Worker("a", thread=thread), Worker("b", thread=thread)
        jobs = [greedy.post("blocker", blocker)]
        await blocker.wait_started()
        jobs += [greedy.post(key, lambda _: note(order, "greedy")) for key in "abc"]
        jobs += [modest.post(key, lambda _: note(order, "modest")) for key in "ab"]
        blocker.release.set()
        await asyncio.wait_for(asyncio.gather(*jobs), DEADLINE_S)
        assert order == ["modest", "greedy", "modest", "greedy", "greedy"]

    asyncio.run(scenario())


def test_what_gives_way_is_interrupted_by_another_worker_and_comes_last() -> None:
    async def scenario() -> None:
        thread, ahead, order = TurnThread("test", kept=True), Held(), list[str]()
        one, other = Worker("a", thread=thread), Worker("b", thread=thread)
        running = one.post("ahead", ahead, gives_way=True)
        await ahead.wait_started()
        wanted = other.post("wanted", lambda _: note(order, "wanted"))
        with pytest.raises(Cancelled):
            await asyncio.wait_for(running, DEADLINE_S)
        await asyncio.wait_for(wanted, DEADLINE_S)
        assert order == ["wanted"]
        assert ahead.saw_cancel.is_set()

    asyncio.run(scenario())


def test_one_that_stops_leaves_the_thread_to_the_others() -> None:
    async def scenario() -> None:
        thread, ended = TurnThread("test", kept=True), list[str]()
        one, other = Worker("a", thread=thread), Worker("b", thread=thread)
        one.stop(last=lambda: ended.append("one"))
        assert await asyncio.to_thread(one.join, DEADLINE_S)
        assert ended == ["one"]
        assert await asyncio.wait_for(other.post("a", lambda _: 1), DEADLINE_S) == 1
        assert other.is_idle

    asyncio.run(scenario())


def test_a_job_runs_in_the_context_of_who_posted_it() -> None:
    concerned: contextvars.ContextVar[str] = contextvars.ContextVar("concerned")

    async def scenario() -> None:
        worker = Worker("test")
        concerned.set("me")
        assert await asyncio.wait_for(worker.post("a", lambda _: concerned.get()), DEADLINE_S) == "me"

    asyncio.run(scenario())
