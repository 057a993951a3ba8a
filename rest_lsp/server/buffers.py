"""Feeds open buffers to the datastore, so that unsaved text is drafted from.  Tokenises off the event loop."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from pygls.uris import uri_scheme

from rest_lsp.cancellation import CancelToken
from rest_lsp.datastore.source_file import indexable_text
from rest_lsp.errors import Cancelled
from rest_lsp.server.backend import Datastore, Session, Tokenizer
from rest_lsp.server.documents import Document, file_path
from rest_lsp.server.logs import where
from rest_lsp.server.worker import Worker

log = logging.getLogger(__name__)

DEBOUNCE_S = 0.15


class BufferFeed:
    """Waits until somebody pauses, then replaces the buffer as a whole.  Belongs to the event loop.

    Documents are known by their decoded URI, so that two spellings are one document.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._loop = asyncio.get_running_loop()
        self._target: _Target | None = None
        self._root: Path | None = None
        self._documents: dict[str, Document] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def attach(self, session: Session, root: Path | None, max_bytes: int) -> None:
        """From now on feed this session's datastore, beginning with what is open already."""
        datastore = session.datastore
        self._root = root
        self._target = None if datastore is None else _Target(datastore, session.tokenizer, max_bytes)
        for document in self._documents.values():
            self._schedule(document, 0)

    def detach(self) -> None:
        """Let go of the session; what changes until the next one is fed to that."""
        self._target = None

    def changed(self, document: Document) -> None:
        """The document was opened or edited."""
        self._documents[unquote(document.uri)] = document
        self._schedule(document, DEBOUNCE_S)

    def closed(self, document: Document) -> None:
        self._documents.pop(unquote(document.uri), None)
        self._schedule(document, 0)

    def stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._worker.stop()

    def _schedule(self, document: Document, delay_s: float) -> None:
        key = unquote(document.uri)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        self._timers[key] = self._loop.call_later(delay_s, self._send, key, document)

    def _send(self, key: str, document: Document) -> None:
        self._timers.pop(key, None)
        target = self._target
        if target is None:
            return
        name = document_name(document.uri, self._root)
        text = document.source if key in self._documents else None
        is_file = file_path(document.uri) is not None
        if not is_file and uri_scheme(document.uri) != "untitled":
            # Views of files that are not the files: a side of a diff, a cell of a notebook.
            return

        def work(cancel: CancelToken) -> None:
            if text is None:
                target.drop(name)
            else:
                target.feed(name, text, cancel, is_file=is_file)

        self._worker.post(key, work).add_done_callback(_log_failure)


@dataclass
class _Target:
    """Where buffers go.  Belongs to the worker's thread, and holds nothing of the session that holds the model."""

    datastore: Datastore
    tokenizer: Tokenizer
    max_bytes: int
    admitted: dict[str, bool] = field(default_factory=dict)

    def feed(self, name: str, text: str, cancel: CancelToken, *, is_file: bool) -> None:
        content = _indexable(text, self.max_bytes)
        if content is None or (is_file and not self._admits(name)):
            self.datastore.drop_buffer(name)
            return
        ids = self.tokenizer.encode(content)
        if not cancel.is_cancelled:
            self.datastore.set_buffer(name, ids)

    def drop(self, name: str) -> None:
        self.admitted.pop(name, None)
        self.datastore.drop_buffer(name)

    def _admits(self, name: str) -> bool:
        """Asked once while a document is open; a refusal again each time, since a new file is refused until saved."""
        if not self.admitted.get(name):
            self.admitted[name] = self.datastore.admits(name)
        return self.admitted[name]


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
