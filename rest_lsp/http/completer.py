"""Completions for clients of HTTP: one session, turns in one thread, and no work for clients that have gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import PurePath
from typing import Any, NamedTuple, Protocol

from starlette.requests import Request

from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.request import CompletionRequest, CompletionResult, Wishes
from rest_lsp.completion.trial import Judgement
from rest_lsp.errors import Cancelled, RestLspError
from rest_lsp.http.bodies import Chunk
from rest_lsp.languages import language_of
from rest_lsp.server.diagnosis import try_model
from rest_lsp.server.resting import RestTimer
from rest_lsp.server.turns import TurnThread
from rest_lsp.server.worker import Worker

log = logging.getLogger(__name__)

MAX_WAITING = 16
MAX_EXTRA_CHARACTERS = 1 << 18
"""More of other files than this is not drafted from, the last of them first."""

_LOOK_S = 0.05
_INDEXER_END_S = 0.5
_EXTRA = "rest-lsp-extra"
Extra = dict[str, list[int]]
"""Token ids of what a client sends of other files, by names that no file has."""


class Session(Protocol):
    """What is needed of a session; its parts are used in the engine's thread."""

    service: Any
    datastore: Any
    tokenizer: Any
    model: Any

    @property
    def is_resting(self) -> bool: ...
    def status(self) -> dict[str, Any]: ...
    def rest(self, idle_s: float) -> None: ...
    def close(self) -> None: ...


class Busy(Exception):
    """Too many requests wait."""


class Gone(Exception):
    """The client does not wait any more."""


class Asked(NamedTuple):
    """A document with a cursor, and what is wanted; one result for each of `seeds`."""

    text: str
    offset: int
    path: str | None
    wishes: Wishes
    seeds: Sequence[int | None] = (None,)
    extra: Sequence[Chunk] = ()

    def request(self) -> CompletionRequest:
        language = language_of(self.path) if self.path else ""
        return CompletionRequest(self.text, self.offset, self.path, language)


class Completer:
    """Belongs to the event loop."""

    def __init__(
        self, open_session: Callable[[], Session], idle_s: float = 0.0, thread: TurnThread | None = None
    ) -> None:
        """The model rests when it was not used for `idle_s`, unless that is 0."""
        self._open_session = open_session
        self._idle_s = idle_s
        self._engine = Worker("rest-lsp-engine", thread=thread)
        self._indexer = Worker("rest-lsp-indexer")
        self._resting = RestTimer(self._engine)
        self._opened: asyncio.Future[Session] = self._engine.post("session", self._open)
        self._opened.add_done_callback(self._use)
        self._session: Session | None = None
        self._numbers = count()
        self._n_waiting = 0
        self._extra = Extra()

    @property
    def is_resting(self) -> bool:
        """Whether the next request has to load the model again."""
        return self._session is not None and self._session.is_resting

    @property
    def state(self) -> str:
        """ok, loading or error."""
        if not self._opened.done():
            return "loading"
        return "error" if self._opened.cancelled() or self._opened.exception() is not None else "ok"

    async def opened(self) -> Session:
        """The session, when it is there.  Raises RestLspError."""
        return await asyncio.shield(self._opened)

    async def complete(self, asked: Asked, client: Request) -> list[CompletionResult]:
        """One result for each seed, in order.  Raises Busy, Gone and RestLspError."""
        if self._n_waiting >= MAX_WAITING:
            raise Busy
        self._n_waiting += 1
        try:
            session = await self.opened()
            extra = await self._encoded(session, asked.extra)
            found = dict[int | None, CompletionResult]()
            for seed in dict.fromkeys(asked.seeds):
                # A job each, so that windows have their turns between them.
                work = self._post(session, asked, seed, extra if not found else None)
                found[seed] = await _while_connected(work, client)
            return [found[seed] for seed in asked.seeds]
        except Cancelled:
            raise Gone from None
        finally:
            self._n_waiting -= 1

    async def read_ahead(self, asked: Asked) -> None:
        """Read the prompt when there is nothing else to do; returns at once."""
        session = await self.opened()
        extra = await self._encoded(session, asked.extra)

        def work(cancel: CancelToken) -> None:
            self._take_extra(session, extra)
            if asked.text:
                session.service.prewarm(asked.request(), cancel)

        self._engine.post("ahead", work, gives_way=True).add_done_callback(_log_failure)

    async def try_out(self) -> Judgement:
        """One completion by the model, when it is there, drafted and plain."""
        return await try_model(self._engine, lambda: self._session)

    def close(self) -> None:
        """Cancel everything and close the session in the model's thread.  Returns at once."""
        self._resting.stop()
        self._indexer.stop()
        self._engine.stop(last=self._close)

    def join(self, timeout_s: float) -> None:
        self._engine.join(timeout_s)

    def _open(self, cancel: CancelToken) -> Session:
        with cancel.unhurried():
            self._session = self._open_session()
        return self._session

    def _close(self) -> None:
        self._indexer.join(_INDEXER_END_S)
        if self._session is not None:
            self._session.close()

    def _use(self, opened: asyncio.Future[Session]) -> None:
        _log_failure(opened)
        if opened.cancelled() or opened.exception() is not None:
            return
        session = opened.result()
        self._resting.follow(session, self._idle_s)
        if session.datastore is not None:
            self._index(session.datastore)

    def _index(self, datastore: Any) -> None:
        def work(cancel: CancelToken) -> None:
            datastore.refresh(None, cancel)
            if not cancel.is_cancelled:
                datastore.watch()

        self._indexer.post("refresh", work).add_done_callback(_log_failure)

    def _post(
        self, session: Session, asked: Asked, seed: int | None, extra: Extra | None
    ) -> asyncio.Future[CompletionResult]:
        def work(cancel: CancelToken) -> CompletionResult:
            if extra is not None:
                self._take_extra(session, extra)
            result: CompletionResult = session.service.complete(
                asked.request(), cancel, replace(asked.wishes, seed=seed)
            )
            cancel.raise_if_cancelled()
            return result

        return self._engine.post(f"{next(self._numbers)}", work)

    async def _encoded(self, session: Session, chunks: Sequence[Chunk]) -> Extra:
        """Out of the model's thread and of the event loop, where others would wait for it."""
        if session.datastore is None or not chunks:
            return {}
        return await asyncio.to_thread(_encode, session.tokenizer, chunks)

    def _take_extra(self, session: Session, extra: Extra) -> None:
        """Drafts are made of what the client sends of other files; the text does not depend on it."""
        for name in self._extra.keys() - extra.keys():
            session.datastore.drop_buffer(name)
        for name, ids in extra.items():
            if self._extra.get(name) != ids:
                session.datastore.set_buffer(name, ids)
        self._extra = extra


def _encode(tokenizer: Any, chunks: Sequence[Chunk]) -> Extra:
    room, extra = MAX_EXTRA_CHARACTERS, Extra()
    for number, chunk in reversed([*enumerate(chunks)]):
        room -= len(chunk.text)
        if room < 0:
            break
        extra[f"{_EXTRA}/{number}/{_name(chunk)}"] = tokenizer.encode(chunk.text)
    return extra


def _name(chunk: Chunk) -> str:
    """What a file could be called, whatever a client says."""
    return PurePath(chunk.filename).name.replace("\0", "")


async def _while_connected(work: asyncio.Future[CompletionResult], client: Request) -> CompletionResult:
    while not work.done():
        await asyncio.wait({work}, timeout=_LOOK_S)
        if not work.done() and await client.is_disconnected():
            work.cancel()
            raise Gone
    return work.result()


def _log_failure(future: asyncio.Future[Any]) -> None:
    error = None if future.cancelled() else future.exception()
    if isinstance(error, RestLspError):
        log.warning("%s", error)
    elif error is not None and not isinstance(error, Cancelled):
        log.error("Work in the background failed (%s).", type(error).__name__)
