"""Turns of HTTP's clients in a thread that windows use as well, without any HTTP."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Message

from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.request import AS_SET, CompletionRequest, CompletionResult, Outcome, Wishes
from rest_lsp.http.bodies import Chunk
from rest_lsp.http.completer import MAX_EXTRA_CHARACTERS, Asked, Completer, Gone
from rest_lsp.server.turns import TurnThread
from rest_lsp.server.worker import Worker

DEADLINE_S = 30.0


class Service:
    """Passes of a model: it works until it is cancelled when the text is "long", else as long as it is held."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.held = threading.Event()
        self.held.set()
        self.answered: Callable[[int | None], None] = lambda _: None

    def complete(self, request: CompletionRequest, cancel: CancelToken, wishes: Wishes = AS_SET) -> CompletionResult:
        self.started.set()
        while request.text == "long":
            cancel.raise_if_cancelled()
        self.held.wait(DEADLINE_S)
        self.answered(wishes.seed)
        return CompletionResult("text", request.offset, request.offset, Outcome.RETURNED)


class Datastore:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.buffers: dict[str, int] = {}
        self.told: list[str] = []

    def refresh(self, _: object, __: CancelToken) -> None:
        pass

    def watch(self) -> None:
        pass

    def set_buffer(self, path: str, ids: Sequence[int]) -> None:
        self.told.append(path)
        self.buffers[path] = len(ids)

    def drop_buffer(self, path: str) -> None:
        self.told.append(path)
        del self.buffers[path]


class Tokenizer:
    """A token for each character; knows the threads that it worked in."""

    def __init__(self) -> None:
        self.threads: set[str] = set()

    def encode(self, text: str) -> list[int]:
        self.threads.add(threading.current_thread().name)
        return [*map(ord, text)]


class Session:
    model = None

    def __init__(self, datastore: Datastore | None = None) -> None:
        self.datastore, self.tokenizer = datastore, Tokenizer()
        self.service = Service()
        self.rested = threading.Event()
        self.is_resting = False

    def status(self) -> dict[str, Any]:
        return {}

    def rest(self, _: float) -> None:
        self.rested.set()

    def close(self) -> None:
        pass


class Client:
    """Somebody who waits until they go."""

    def __init__(self) -> None:
        self.has_gone = asyncio.Event()
        self.request = Request({"type": "http", "headers": []}, self._receive)

    async def _receive(self) -> Message:
        await self.has_gone.wait()
        return {"type": "http.disconnect"}


def asked(text: str) -> Asked:
    return Asked(text, len(text), None, AS_SET)


def test_work_for_a_client_that_has_gone_makes_room_for_a_window() -> None:
    async def scenario() -> None:
        thread, session, client = TurnThread("test"), Session(), Client()
        completer, window = Completer(lambda: session, thread=thread), Worker("window", thread=thread)
        work = asyncio.create_task(completer.complete(asked("long"), client.request))
        assert await asyncio.to_thread(session.service.started.wait, DEADLINE_S)
        waiting = window.post("document", lambda _: "shown")
        client.has_gone.set()
        assert await asyncio.wait_for(waiting, DEADLINE_S) == "shown"
        with pytest.raises(Gone):
            await work
        completer.close()
        window.stop()

    asyncio.run(scenario())


def test_a_window_has_its_turn_between_two_choices() -> None:
    async def scenario() -> None:
        thread, session, client = TurnThread("test"), Session(), Client()
        completer, window = Completer(lambda: session, thread=thread), Worker("window", thread=thread)
        await completer.opened()
        order: list[object] = []
        session.service.answered = order.append
        session.service.held.clear()
        choices = asyncio.create_task(completer.complete(asked("short")._replace(seeds=(1, 2, 1)), client.request))
        assert await asyncio.to_thread(session.service.started.wait, DEADLINE_S)
        waiting = window.post("document", lambda _: order.append("window"))
        session.service.held.set()
        assert len(await asyncio.wait_for(choices, DEADLINE_S)) == 3
        await waiting
        assert order == [1, "window", 2]
        completer.close()
        window.stop()

    asyncio.run(scenario())


def test_what_ends_leaves_the_thread_to_others() -> None:
    async def scenario() -> None:
        thread, session, client = TurnThread("test"), Session(), Client()
        completer, window = Completer(lambda: session, thread=thread), Worker("window", thread=thread)
        work = asyncio.create_task(completer.complete(asked("long"), client.request))
        assert await asyncio.to_thread(session.service.started.wait, DEADLINE_S)
        completer.close()
        assert await asyncio.wait_for(window.post("document", lambda _: "shown"), DEADLINE_S) == "shown"
        with pytest.raises(Gone):
            await work
        window.stop()

    asyncio.run(scenario())


def test_other_files_are_read_beside_the_models_thread_and_up_to_a_limit() -> None:
    async def scenario() -> None:
        thread, datastore, client = TurnThread("model"), Datastore(), Client()
        session = Session(datastore)
        completer = Completer(lambda: session, thread=thread)
        chunks = [Chunk(text="x" * size, filename=f"{size}.py") for size in (1, MAX_EXTRA_CHARACTERS - 5, 2, 3)]
        with_extra = asked("short")._replace(extra=chunks)
        await completer.complete(with_extra, client.request)
        assert sorted(datastore.buffers.values()) == [2, 3, MAX_EXTRA_CHARACTERS - 5]
        assert len(session.tokenizer.threads & {"model", threading.main_thread().name}) == 0
        datastore.told.clear()
        await completer.complete(with_extra, client.request)
        assert not datastore.told, "nothing has changed"
        await completer.complete(with_extra._replace(extra=chunks[:1]), client.request)
        assert [*datastore.buffers.values()] == [1]
        await completer.complete(asked("short"), client.request)
        assert not datastore.buffers
        completer.close()

    asyncio.run(scenario())


def test_a_model_that_nobody_asks_may_rest() -> None:
    async def scenario() -> None:
        session = Session()
        completer = Completer(lambda: session, idle_s=0.01)
        assert await asyncio.to_thread(session.rested.wait, DEADLINE_S)
        completer.close()

    asyncio.run(scenario())
