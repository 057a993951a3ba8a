"""Working ahead: the next answer is there when a suggestion is taken, and any key comes first."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection

import pytest

from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.request import AS_SET, CompletionRequest, CompletionResult, Outcome, Wishes
from rest_lsp.server.prewarm import Prewarmer, as_if_taken
from rest_lsp.server.turns import TurnThread
from rest_lsp.server.worker import Worker

DEADLINE_S = 30.0
REQUEST = CompletionRequest("x = \ny\n", 4, path="a.py", language="python", version=3)
RESULT = CompletionResult("1\nz = 2", 4, 4, Outcome.RETURNED)


class Service:
    """Answers what `outcome` says and remembers what it was asked."""

    def __init__(self, outcome: Callable[[CancelToken], Outcome]) -> None:
        self.asked: list[CompletionRequest] = []
        self.read: list[CompletionRequest] = []
        self._outcome = outcome

    def complete(
        self,
        request: CompletionRequest,
        cancel: CancelToken,
        wishes: Wishes = AS_SET,
        watch: Callable[[str], None] = lambda _: None,
    ) -> CompletionResult:
        self.asked.append(request)
        return CompletionResult("ahead", request.offset, request.offset, self._outcome(cancel))

    def alternatives(
        self, request: CompletionRequest, known: Collection[str], cancel: CancelToken
    ) -> list[CompletionResult]:
        raise AssertionError("nobody asks for others ahead")

    def prewarm(self, request: CompletionRequest, cancel: CancelToken) -> None:
        self.read.append(request)


def test_the_request_behind_a_taken_suggestion() -> None:
    following = as_if_taken(REQUEST, RESULT)
    assert following.text == "x = 1\nz = 2\ny\n"
    assert following.text[: following.offset] == "x = 1\nz = 2"
    assert (following.path, following.language) == ("a.py", "python")


def test_the_next_answer_is_made_ahead() -> None:
    async def scenario() -> None:
        worker, service = Worker("test"), Service(lambda _: Outcome.RETURNED)
        taken: asyncio.Future[tuple[CompletionRequest, CompletionResult]] = asyncio.get_running_loop().create_future()
        Prewarmer(worker, lambda: service).look_ahead(REQUEST, RESULT, lambda *found: taken.set_result(found))
        request, result = await asyncio.wait_for(taken, DEADLINE_S)
        assert service.asked == [request] == [as_if_taken(REQUEST, RESULT)]
        assert result.text == "ahead"
        worker.stop()

    asyncio.run(scenario())


def test_a_key_ends_it_and_nothing_is_taken() -> None:
    async def scenario() -> None:
        started = asyncio.Event()
        loop = asyncio.get_running_loop()

        def until_cancelled(cancel: CancelToken) -> Outcome:
            loop.call_soon_threadsafe(started.set)
            never = threading.Event()
            while not cancel.is_cancelled:
                never.wait(0.001)
            return Outcome.CANCELLED

        worker, service = Worker("test"), Service(until_cancelled)
        prewarmer = Prewarmer(worker, lambda: service)
        taken: list[object] = []
        prewarmer.look_ahead(REQUEST, RESULT, lambda *found: taken.append(found))
        await asyncio.wait_for(started.wait(), DEADLINE_S)
        prewarmer.give_way()
        await worker.post("after", lambda _: None)
        assert taken == []
        worker.stop()

    asyncio.run(scenario())


@pytest.mark.parametrize("is_given_up", [False, True])
def test_what_is_expected_while_the_model_is_busy_is_read_when_it_is_free_again(is_given_up: bool) -> None:
    async def scenario() -> None:
        looked_up = asyncio.Event()

        def place() -> CompletionRequest:
            looked_up.set()
            return REQUEST

        worker, service, gate = Worker("test"), Service(lambda _: Outcome.RETURNED), threading.Event()
        prewarmer = Prewarmer(worker, lambda: service)
        busy = worker.post("somebody's request", lambda _: gate.wait(DEADLINE_S))
        prewarmer.expect(place)
        await asyncio.wait_for(looked_up.wait(), DEADLINE_S)
        if is_given_up:
            prewarmer.give_way()
        gate.set()
        assert await busy
        # What was posted last goes first, unless its thread is at the other one already: then it waits for that.
        while not worker.is_idle:
            await worker.post("after", lambda _: None, gives_way=True)
        assert service.read == ([] if is_given_up else [REQUEST])
        worker.stop()

    asyncio.run(scenario())


@pytest.mark.parametrize("is_other_window", [False, True])
def test_nothing_is_read_ahead_while_another_window_asks(is_other_window: bool) -> None:
    async def scenario() -> None:
        looked_up = asyncio.Event()

        def place() -> CompletionRequest:
            looked_up.set()
            return REQUEST

        thread, gate = TurnThread("test", kept=True), threading.Event()
        worker, service = Worker("a", thread=thread), Service(lambda _: Outcome.RETURNED)
        other = Worker("b", thread=thread) if is_other_window else worker
        busy = other.post("somebody's request", lambda _: gate.wait(DEADLINE_S))
        Prewarmer(worker, lambda: service).expect(place)
        await asyncio.wait_for(looked_up.wait(), DEADLINE_S)
        gate.set()
        assert await busy
        while not worker.is_idle:
            await worker.post("after", lambda _: None, gives_way=True)
        assert service.read == ([] if is_other_window else [REQUEST])

    asyncio.run(scenario())


def test_the_next_answer_is_made_when_a_busy_model_is_free_again() -> None:
    async def scenario() -> None:
        looked_up = asyncio.Event()
        worker, service, gate = Worker("test"), Service(lambda _: Outcome.RETURNED), threading.Event()

        loop = asyncio.get_running_loop()

        def find_service() -> Service:
            loop.call_soon_threadsafe(looked_up.set)
            return service

        taken: asyncio.Future[CompletionResult] = loop.create_future()
        busy = worker.post("somebody's request", lambda _: gate.wait(DEADLINE_S))
        Prewarmer(worker, find_service).look_ahead(REQUEST, RESULT, lambda _, result: taken.set_result(result))
        await asyncio.wait_for(looked_up.wait(), DEADLINE_S)
        assert not taken.done()
        gate.set()
        assert await busy
        assert (await asyncio.wait_for(taken, DEADLINE_S)).text == "ahead"
        worker.stop()

    asyncio.run(scenario())
