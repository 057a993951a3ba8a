"""Feeds open buffers to the datastore, so that unsaved text is drafted from.  Tokenises off the event loop."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from rest_lsp.cancellation import CancelToken
from rest_lsp.datastore.source_file import indexable_text
from rest_lsp.errors import Cancelled
from rest_lsp.server.documents import Document, file_path
from rest_lsp.server.logs import where
from rest_lsp.server.session import Session
from rest_lsp.server.worker import Worker

log = logging.getLogger(__name__)

DEBOUNCE_S = 0.15


class BufferFeed:
    """Waits until somebody pauses, then replaces the buffer as a whole.  Belongs to the event loop."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._loop = asyncio.get_running_loop()
        self._session: Session | None = None
        self._root: Path | None = None
        self._max_bytes = 0
        self._documents: dict[str, Document] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def attach(self, session: Session, root: Path | None, max_bytes: int) -> None:
        """From now on feed this session's datastore, beginning with what is open already."""
        self._session, self._root, self._max_bytes = session, root, max_bytes
        for uri in self._documents:
            self._schedule(uri, 0)

    def changed(self, document: Document) -> None:
        """The document was opened or edited."""
        self._documents[document.uri] = document
        self._schedule(document.uri, DEBOUNCE_S)

    def closed(self, uri: str) -> None:
        self._documents.pop(uri, None)
        self._schedule(uri, 0)

    def stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._worker.stop()

    def _schedule(self, uri: str, delay_s: float) -> None:
        timer = self._timers.pop(uri, None)
        if timer is not None:
            timer.cancel()
        self._timers[uri] = self._loop.call_later(delay_s, self._send, uri)

    def _send(self, uri: str) -> None:
        self._timers.pop(uri, None)
        session = self._session
        datastore = session.datastore if session is not None else None
        if session is None or datastore is None:
            return
        name = document_name(uri, self._root)
        document = self._documents.get(uri)
        text = document.source if document is not None else ""
        limit = self._max_bytes

        def work(cancel: CancelToken) -> None:
            content = _indexable(text, limit)
            if content is None:
                datastore.drop_buffer(name)
                return
            ids = session.tokenizer.encode(content)
            if not cancel.is_cancelled:
                datastore.set_buffer(name, ids)

        self._worker.post(uri, work).add_done_callback(_log_failure)


def document_name(uri: str, root: Path | None) -> str:
    """How the datastore and the drafts call a document: relative to the workspace, else absolute, else its URI."""
    path = file_path(uri)
    if path is None:
        return uri
    if root is not None:
        for candidate, base in ((path, root), (path.resolve(), root.resolve())):
            if candidate.is_relative_to(base):
                return candidate.relative_to(base).as_posix()
    return str(path)


def without_surrogates(text: str) -> str:
    """An editor that cuts an emoji in two sends halves that no tokenizer takes; each becomes U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)
    return text


def _indexable(text: str, max_bytes: int) -> str | None:
    """What of a buffer may be drafted from, by the rules for files; None when nothing."""
    # The model only ever sees "\n", so drafts must have no other line end.
    data = without_surrogates(text).replace("\r\n", "\n").encode()
    content = indexable_text(data) if len(data) <= max_bytes else None
    return content if isinstance(content, str) else None


def _log_failure(future: asyncio.Future[None]) -> None:
    error = None if future.cancelled() else future.exception()
    if error is not None and not isinstance(error, Cancelled):
        log.error("An open buffer could not be indexed: %s", where(error))
