"""Working ahead: the next answer is there when a suggestion is taken, and any key comes first."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection

from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.request import AS_SET, CompletionRequest, CompletionResult, Outcome, Wishes
from rest_lsp.server.prewarm import Prewarmer, as_if_taken
from rest_lsp.server.worker import Worker

DEADLINE_S = 30.0
REQUEST = CompletionRequest("x = \ny\n", 4, path="a.py", language="python", version=3)
RESULT = CompletionResult("1\nz = 2", 4, 4, Outcome.RETURNED)


class Service:
    """Answers what `outcome` says and remembers what it was asked."""

    def __init__(self, outcome: Callable[[CancelToken], Outcome]) -> None:
        self.asked: list[CompletionRequest] = []
        self._outcome = outcome

    def complete(self, request: CompletionRequest, cancel: CancelToken, wishes: Wishes = AS_SET) -> CompletionResult:
        self.asked.append(request)
        return CompletionResult("ahead", request.offset, request.offset, self._outcome(cancel))

    def alternatives(
        self, request: CompletionRequest, known: Collection[str], cancel: CancelToken
    ) -> list[CompletionResult]:
        raise AssertionError("nobody asks for others ahead")

    def prewarm(self, request: CompletionRequest, cancel: CancelToken) -> None:
        raise AssertionError("nothing is read ahead here")


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
