"""Completions for clients of HTTP: one session, one thread, and no work for clients that have gone."""

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
from rest_lsp.errors import Cancelled, RestLspError
from rest_lsp.http.bodies import Chunk
from rest_lsp.languages import language_of
from rest_lsp.server.worker import Worker

log = logging.getLogger(__name__)

MAX_WAITING = 16
_LOOK_S = 0.05
_EXTRA = "rest-lsp-extra"


class Session(Protocol):
    """What is needed of a session; its parts are used in the engine's thread."""

    service: Any
    datastore: Any
    tokenizer: Any
    model: Any

    def status(self) -> dict[str, Any]: ...
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

    def __init__(self, open_session: Callable[[], Session]) -> None:
        self._open_session = open_session
        self._engine = Worker("rest-lsp-engine")
        self._indexer = Worker("rest-lsp-indexer")
        self._opened: asyncio.Future[Session] = self._engine.post("session", lambda _: self._open())
        self._opened.add_done_callback(self._index)
        self._session: Session | None = None
        self._numbers = count()
        self._n_waiting = 0
        self._extra: set[str] = set()

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
            work = self._engine.post(f"{next(self._numbers)}", lambda cancel: self._run(session, asked, cancel))
            return await _while_connected(work, client)
        except Cancelled:
            raise Gone from None
        finally:
            self._n_waiting -= 1

    async def read_ahead(self, asked: Asked) -> None:
        """Read the prompt when there is nothing else to do; returns at once."""
        session = await self.opened()

        def work(cancel: CancelToken) -> None:
            self._take_extra(session, asked.extra)
            if asked.text:
                session.service.prewarm(asked.request(), cancel)

        self._engine.post("ahead", work, gives_way=True).add_done_callback(_log_failure)

    def close(self) -> None:
        self._indexer.stop()
        self._engine.stop(last=self._close)

    def join(self, timeout_s: float) -> None:
        self._engine.join(timeout_s)

    def _open(self) -> Session:
        self._session = self._open_session()
        return self._session

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()

    def _index(self, opened: asyncio.Future[Session]) -> None:
        if opened.cancelled() or opened.exception() is not None or opened.result().datastore is None:
            return
        datastore = opened.result().datastore

        def work(cancel: CancelToken) -> None:
            datastore.refresh(None, cancel)
            if not cancel.is_cancelled:
                datastore.watch()

        self._indexer.post("refresh", work).add_done_callback(_log_failure)

    def _run(self, session: Session, asked: Asked, cancel: CancelToken) -> list[CompletionResult]:
        self._take_extra(session, asked.extra)
        request, found = asked.request(), dict[int | None, CompletionResult]()
        for seed in asked.seeds:
            if seed not in found:
                found[seed] = session.service.complete(request, cancel, replace(asked.wishes, seed=seed))
                cancel.raise_if_cancelled()
        return [found[seed] for seed in asked.seeds]

    def _take_extra(self, session: Session, extra: Sequence[Chunk]) -> None:
        """Drafts are made of what the client sends of other files; the text does not depend on it."""
        if session.datastore is None or not (extra or self._extra):
            return
        names = {f"{_EXTRA}/{number}/{PurePath(chunk.filename).name}": chunk for number, chunk in enumerate(extra)}
        for name in self._extra - names.keys():
            session.datastore.drop_buffer(name)
        for name, chunk in names.items():
            session.datastore.set_buffer(name, session.tokenizer.encode(chunk.text))
        self._extra = set(names)


async def _while_connected(work: asyncio.Future[list[CompletionResult]], client: Request) -> list[CompletionResult]:
    while not work.done():
        await asyncio.wait({work}, timeout=_LOOK_S)
        if not work.done() and await client.is_disconnected():
            work.cancel()
            raise Gone
    return work.result()


def _log_failure(future: asyncio.Future[None]) -> None:
    error = None if future.cancelled() else future.exception()
    if isinstance(error, RestLspError):
        log.warning("%s", error)
    elif error is not None and not isinstance(error, Cancelled):
        log.error("Work in the background failed (%s).", type(error).__name__)
