"""Logging for people: stderr at once, the editor's log as soon as there is an editor.  Never contains code.

An exception's own words may quote a document, so only those of `RestLspError`, which we wrote, are logged.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import queue
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from pathlib import Path

from lsprotocol import types

from rest_lsp.errors import RestLspError

_BUFFERED_RECORDS = 500
_KEPT_LINES = 50
_FLUSH_S = 0.3
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_concerned: contextvars.ContextVar[logging.Handler | None] = contextvars.ContextVar("concerned", default=None)


class ClientLog(logging.Handler):
    """Keeps records until `connect`, then passes them on as `window/logMessage`; remembers the last lines."""

    def __init__(self, other: logging.Handler | None = None) -> None:
        """Once there is a client, `other` gets warnings only.  Without it, only what is `claimed` is this client's."""
        super().__init__()
        self._other = other
        self._send: Callable[[types.LogMessageParams], None] | None = None
        self._buffer: deque[types.LogMessageParams] = deque(maxlen=_BUFFERED_RECORDS)
        self.recent: deque[str] = deque(maxlen=_KEPT_LINES)

    def claim(self) -> None:
        """What is logged in this context, and in contexts copied from it, concerns this client."""
        _concerned.set(self)

    def connect(self, send: Callable[[types.LogMessageParams], None]) -> None:
        """Send what was kept, and from now on everything.  `send` is called from any thread."""
        self.acquire()
        try:
            self._send = send
            if self._other is not None:
                self._other.setLevel(logging.WARNING)
            while self._buffer:
                send(self._buffer.popleft())
        finally:
            self.release()

    def emit(self, record: logging.LogRecord) -> None:
        if self._other is None and _concerned.get() is not self:
            return
        line = f"{record.name}: {record.getMessage()}"
        self.recent.append(line)
        params = types.LogMessageParams(_message_type(record.levelno), line)
        if self._send is None:
            self._buffer.append(params)
        else:
            self._send(params)


class ErrorStream(logging.Handler):
    """Writes to standard error from a thread of its own; what a stopped reader leaves no room for is dropped."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: queue.Queue[str] = queue.Queue(_BUFFERED_RECORDS)
        self._stream = sys.stderr
        threading.Thread(target=self._write, name="rest-lsp-stderr", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(self.format(record) + "\n")

    def flush(self) -> None:
        """Wait for what is queued, but not for long: nobody may read it."""
        with self._lines.all_tasks_done:
            self._lines.all_tasks_done.wait_for(lambda: not self._lines.unfinished_tasks, _FLUSH_S)

    def _write(self) -> None:
        while True:
            line = self._lines.get()
            with contextlib.suppress(OSError, ValueError):
                self._stream.write(line)
                self._stream.flush()
            self._lines.task_done()


def configure_logging(level: str) -> ClientLog:
    """Route the package's records to stderr and to the returned handler; libraries only to stderr, from warnings on."""
    stderr = ErrorStream()
    log_to(stderr, level)
    client = ClientLog(stderr)
    logging.getLogger("rest_lsp").addHandler(client)
    return client


def log_to(handler: logging.Handler, level: str) -> None:
    """Send the package's records to `handler` and nowhere else, and those of libraries from warnings on."""
    handler.setFormatter(logging.Formatter(FORMAT))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    # pygls logs whole messages, that is: documents.
    logging.getLogger("pygls").setLevel(logging.CRITICAL + 1)
    set_level(level)


def set_level(level: str) -> None:
    """`level` is one of error, warning, info, debug."""
    logging.getLogger("rest_lsp").setLevel(level.upper())


def where(error: BaseException) -> str:
    """What kind of error it is and the way it came, without its words."""
    if isinstance(error, RestLspError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    path = " > ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
    return f"{type(error).__name__} at {path or 'an unknown place'}"


def _message_type(level: int) -> types.MessageType:
    if level >= logging.ERROR:
        return types.MessageType.Error
    if level >= logging.WARNING:
        return types.MessageType.Warning
    return types.MessageType.Info if level >= logging.INFO else types.MessageType.Log
